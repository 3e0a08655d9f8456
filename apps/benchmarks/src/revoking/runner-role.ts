import { createConsumer } from "@taskq/consumer";
import { nanoseconds } from "../clock.js";
import type { Channel } from "../roles/channel.js";
import { hearAborts, openRevokingQueue } from "./tasks.js";

export interface RevokeRunner {
  readonly path: string;
}
export interface RevokeRunnerAnswer {
  /** When the signal of each run aborted, by id, in nanoseconds. */
  readonly abortedAt: ReadonlyMap<string, number>;
}

/** Runs jobs that end when they are revoked. */
export async function revokeRunner({ path }: RevokeRunner, channel: Channel): Promise<RevokeRunnerAnswer> {
  const abortedAt = new Map<string, number>();
  hearAborts((id) => abortedAt.set(id, nanoseconds()));
  const queue = openRevokingQueue(path);
  const consumer = createConsumer(queue, { workers: 10 });
  await consumer.start();
  await channel.ready();
  await channel.stopped;
  await consumer.stop();
  await queue.close();
  return { abortedAt };
}
