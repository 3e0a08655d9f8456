import { Queue, QueueEvents, Worker, type JobsOptions } from "bullmq";
import type { Competitor, Payload } from "./competitor.js";

const NAME = "measured";

/** BullMQ 6.7.0 as its README says: one worker with a concurrency; every finished job is kept. */
export const bullmq: Competitor = {
  async open({ path }) {
    const { hostname: host, port } = new URL(path);
    const connection = { host, port: Number(port) };
    const queue = new Queue<Payload, number>(NAME, { connection });
    let events: QueueEvents | undefined;
    await queue.waitUntilReady();
    return {
      enqueue: (payload) => queue.add(NAME, payload),
      enqueueMany(payloads, due) {
        const opts: JobsOptions = due === undefined ? {} : { delay: due.getTime() - Date.now() };
        return queue.addBulk(payloads.map((data) => ({ name: NAME, data, opts })));
      },
      async roundTrip(payload) {
        events ??= new QueueEvents(NAME, { connection });
        await events.waitUntilReady();
        return (await queue.add(NAME, payload)).waitUntilFinished(events);
      },
      async consume({ workers, run }) {
        const worker = new Worker<Payload, number>(NAME, ({ data }) => run(data), {
          connection,
          concurrency: workers,
        });
        await worker.waitUntilReady();
        return () => worker.close();
      },
      async unfinished() {
        const { completed: _completed, ...others } = await queue.getJobCounts();
        return Object.values(others).reduce((sum, each) => sum + each, 0);
      },
      async close() {
        await events?.close();
        await queue.close();
      },
    };
  },
};
