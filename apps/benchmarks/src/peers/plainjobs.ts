import Database from "better-sqlite3";
import { defineQueue, defineWorker, type Logger, type Worker } from "plainjobs";
import type { Competitor, Payload } from "./competitor.js";

/** Its default writes every step of every job to the console. */
const quiet: Logger = { error() {}, warn() {}, info() {}, debug() {} };
const TYPE = "measured";

/**
 * plainjobs 0.0.4 as its README says, with a quiet logger; `workers` are as many workers on one queue. The `addMany` of
 * its sources is not in the package's `dist`: here it is what it is there, its `add` for each in one transaction.
 */
export const plainjobs: Competitor = {
  async open({ path, durability }) {
    const connection = new Database(path);
    const queue = defineQueue({ connection, logger: quiet });
    // It sets WAL and NORMAL by itself.
    if (durability === "full") connection.pragma("synchronous = full");
    const addMany = connection.transaction((payloads: readonly Payload[]) =>
      payloads.map((each) => queue.add(TYPE, each)),
    );
    return {
      enqueue: (payload) => queue.add(TYPE, payload),
      enqueueMany: (payloads) => addMany(payloads),
      roundTrip: () => Promise.reject(new Error("plainjobs has no results")),
      async consume({ workers, run }) {
        const handler = async ({ data }: { data: string }): Promise<void> => {
          await run(JSON.parse(data) as Payload);
        };
        const running = Array.from({ length: workers }, (): [Worker, Promise<void>] => {
          const worker = defineWorker(TYPE, handler, { queue, logger: quiet });
          return [worker, worker.start()];
        });
        return async () => {
          await Promise.all(running.map(([worker]) => worker.stop()));
          await Promise.all(running.map(([, ended]) => ended));
        };
      },
      async unfinished() {
        return (["pending", "processing", "failed"] as const)
          .map((status) => queue.countJobs({ status }))
          .reduce((sum, each) => sum + each, 0);
      },
      async close() {
        queue.close();
      },
    };
  },
};
