import { Queue, Worker } from "groupmq";
import { Redis } from "ioredis";
import type { Competitor, Payload } from "./competitor.js";

/** Jobs of a group run one after the other; with as many as this, hardly any job waits for another. */
const GROUPS = 1_000;

/** GroupMQ 1.1.0 as its README says, without its batches (awaited calls would wait them out); finished jobs are deleted. */
export const groupmq: Competitor = {
  async open({ path }) {
    const redis = new Redis(path, { maxRetriesPerRequest: null });
    const queue = new Queue<Payload>({ redis, namespace: "measured" });
    const add = (data: Payload): Promise<unknown> => queue.add({ groupId: `g${data.n % GROUPS}`, data });
    return {
      enqueue: add,
      // It has no call for many.
      enqueueMany: (payloads) => Promise.all(payloads.map(add)),
      roundTrip: () => Promise.reject(new Error("GroupMQ keeps no results by default")),
      async consume({ workers, run }) {
        const worker = new Worker<Payload>({ queue, concurrency: workers, handler: ({ data }) => run(data) });
        const ended = worker.run();
        return async () => {
          await worker.close();
          await ended;
        };
      },
      async unfinished() {
        const { completed: _completed, ...others } = await queue.getJobCounts();
        return Object.values(others).reduce((sum, each) => sum + each, 0);
      },
      async close() {
        await queue.close();
        redis.disconnect();
      },
    };
  },
};
