import { buildDBClient, Runner, SqliteQueue } from "liteque";
import type { Competitor, Payload } from "./competitor.js";

type Client = ReturnType<typeof buildDBClient>;

/**
 * Its Runner claims in an async function that it hands to drizzle's transaction, which better-sqlite3 12 refuses
 * ("Transaction function cannot return a promise"). Versions that took it ended the transaction at the first await,
 * so that each statement stood alone; the shim does the same and leaves the empty transaction out.
 */
function withoutAsyncTransaction(client: Client): Client {
  const transaction = (work: (transaction: unknown) => unknown): unknown => work(client);
  return Object.assign(client, { transaction });
}

/** liteque 0.8.0 with its Runner; WAL and NORMAL by its own default. It has no bulk call. */
export const liteque: Competitor = {
  async open({ path, durability }) {
    if (durability === "full") throw new Error("liteque is measured at NORMAL only");
    const client = withoutAsyncTransaction(buildDBClient(path, { runMigrations: true }));
    const queue = new SqliteQueue<Payload>("measured", client, {
      defaultJobArgs: { numRetries: 0 },
      keepFailedJobs: true,
    });
    return {
      enqueue: (payload) => queue.enqueue(payload),
      enqueueMany: (payloads) => Promise.all(payloads.map((each) => queue.enqueue(each))),
      roundTrip: () => Promise.reject(new Error("liteque has no results")),
      async consume({ workers, run }) {
        const options = { pollIntervalMs: 1_000, timeoutSecs: 30, concurrency: workers };
        const runner = new Runner<Payload, number>(queue, { run: ({ data }) => run(data) }, options);
        const ended = runner.run();
        return () => {
          runner.stop();
          return ended;
        };
      },
      async unfinished() {
        // Completed rows are deleted.
        return Object.values(await queue.stats()).reduce((sum, each) => sum + each, 0);
      },
      async close() {},
    };
  },
};
