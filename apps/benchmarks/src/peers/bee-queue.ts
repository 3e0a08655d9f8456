import BeeQueue from "bee-queue";
import type { Competitor, Payload } from "./competitor.js";

/**
 * Bee-Queue 2.0.0 at its leanest: no events, nothing kept in memory, and a job that has succeeded is deleted rather than stored. So
 * it has no results here; with events it has, and loses some.
 */
export const beeQueue: Competitor = {
  async open({ path }) {
    const { hostname: host, port } = new URL(path);
    const open = (isWorker: boolean): BeeQueue<Payload> =>
      new BeeQueue<Payload>("measured", {
        redis: { host, port: Number(port) },
        isWorker,
        getEvents: false,
        sendEvents: false,
        storeJobs: false,
        removeOnSuccess: true,
        activateDelayedJobs: false,
      });
    const queue = open(false);
    await queue.ready();
    return {
      enqueue: (payload) => queue.createJob(payload).save(),
      async enqueueMany(payloads) {
        const errors = await queue.saveAll(payloads.map((payload) => queue.createJob(payload)));
        if (errors.size > 0) throw new Error(`${errors.size} jobs were not stored`);
      },
      roundTrip: () => Promise.reject(new Error("Bee-Queue has no results without events")),
      async consume({ workers, run }) {
        const worker = open(true);
        await worker.ready();
        worker.process(workers, ({ data }) => run(data));
        return () => worker.close();
      },
      async unfinished() {
        const { waiting, active, failed, delayed } = await queue.checkHealth();
        return waiting + active + failed + delayed;
      },
      close: () => queue.close(),
    };
  },
};
