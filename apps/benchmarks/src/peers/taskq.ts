import { createConsumer } from "@taskq/consumer";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import type { Competitor, Payload } from "./competitor.js";

const nobody = (_payload: Payload): Promise<number> => Promise.reject(new Error("nothing consumes here"));

/** Ours, with everything as a user gets it: default serializer, results kept, fences, events, periodic scheduler. */
export const taskq: Competitor = {
  async open({ path, durability }) {
    let run = nobody;
    const measured = task("measured", (payload: Payload) => run(payload));
    const queue = createQueue({ storage: sqliteStorage({ path, durability }), tasks: { measured } });
    // A queue opens at its first use; that is no part of any figure.
    await queue.counts();
    return {
      enqueue: (payload) => queue.enqueue(measured.job(payload)),
      enqueueMany: (payloads) => queue.enqueueMany(payloads.map((each) => measured.job(each))),
      roundTrip: async (payload) => (await queue.enqueue(measured.job(payload))).wait(),
      async consume(options) {
        run = options.run;
        const ahead = options.prefetch === undefined ? {} : { prefetch: options.prefetch };
        const consumer = createConsumer(queue, { workers: options.workers, ...ahead });
        await consumer.start();
        return () => consumer.stop();
      },
      async unfinished() {
        const { completed: _completed, ...others } = await queue.counts();
        return Object.values(others).reduce((sum, each) => sum + each, 0);
      },
      close: () => queue.close(),
    };
  },
};
