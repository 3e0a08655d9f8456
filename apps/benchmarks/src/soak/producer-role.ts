import { pause } from "../clock.js";
import { watchLoopDelay } from "../loop-delay.js";
import type { Channel } from "../roles/channel.js";
import { openSoakQueue, soaked, type SoakJob } from "./tasks.js";

export interface SoakProducer {
  readonly path: string;
  /** Its jobs are numbered from here. */
  readonly from: number;
  readonly seconds: number;
  /** Jobs a second. */
  readonly rate: number;
}
export interface SoakProducerAnswer {
  /** Jobs whose enqueue resolved. */
  readonly stored: number;
  /** What was rejected, complained of or warned about. */
  readonly errors: readonly string[];
  readonly loopDelayP999: number;
}

/** Enqueues by turns one by one, many in one tick and in bulk, at a steady rate. */
export async function soakProducer(
  { path, from, seconds, rate }: SoakProducer,
  channel: Channel,
): Promise<SoakProducerAnswer> {
  const errors: string[] = [];
  const queue = openSoakQueue(path, (message) => errors.push(message));
  await queue.counts();
  await channel.ready();

  const loopDelay = watchLoopDelay();
  let next = from;
  let stored = 0;
  const jobs = (count: number): ReturnType<typeof soaked.job>[] =>
    Array.from({ length: count }, () => soaked.job(soakJob(next++)));
  const enqueue = (job: ReturnType<typeof soaked.job>): Promise<unknown> => queue.enqueue(job);
  const settled = (attempts: readonly Promise<unknown>[], each: number): Promise<unknown> =>
    Promise.all(
      attempts.map((attempt) =>
        attempt.then(
          () => (stored += each),
          (error: unknown) => errors.push(String(error)),
        ),
      ),
    );

  const begun = performance.now();
  while (performance.now() - begun < seconds * 1_000) {
    for (const job of jobs(50)) await settled([enqueue(job)], 1);
    await settled(jobs(100).map(enqueue), 1);
    await settled([queue.enqueueMany(jobs(100))], 100);
    const due = begun + ((next - from) / rate) * 1_000;
    await pause(Math.max(1, due - performance.now()));
  }
  const loopDelayP999 = loopDelay.p999();
  await queue.close();
  return { stored, errors, loopDelayP999 };
}

function soakJob(n: number): SoakJob {
  return { n, text: "a text that makes the whole of it about one hundred bytes long" };
}
