import { createConsumer } from "@taskq/consumer";
import { watchLoopDelay } from "../loop-delay.js";
import type { Channel } from "../roles/channel.js";
import { hear, openSoakQueue } from "./tasks.js";

export interface SoakConsumer {
  readonly path: string;
}
export interface SoakConsumerAnswer {
  /** How often each job was run here. */
  readonly runs: ReadonlyMap<number, number>;
  /** What was complained of or warned about, and jobs that failed. */
  readonly errors: readonly string[];
  readonly loopDelayP999: number;
  /** Jobs left over once it had stopped. */
  readonly unfinished: number;
}

/** Consumes until it is told to stop. */
export async function soakConsumer({ path }: SoakConsumer, channel: Channel): Promise<SoakConsumerAnswer> {
  const errors: string[] = [];
  const runs = new Map<number, number>();
  const queue = openSoakQueue(path, (message) => errors.push(message));
  queue.on(["failed", "retrying", "lease-lost"], ({ type, id }) => {
    errors.push(`${type} ${id}`);
  });
  hear((n) => runs.set(n, (runs.get(n) ?? 0) + 1));
  await queue.counts();
  await channel.ready();

  const loopDelay = watchLoopDelay();
  const consumer = createConsumer(queue);
  await consumer.start();
  const telling = setInterval(() => channel.progress(runs.size), 50);
  await channel.stopped;
  clearInterval(telling);
  const loopDelayP999 = loopDelay.p999();
  await consumer.stop();
  const { completed: _completed, ...others } = await queue.counts();
  await queue.close();
  return { runs, errors, loopDelayP999, unfinished: Object.values(others).reduce((a, b) => a + b, 0) };
}
