import { createConsumer } from "@taskq/consumer";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { pause } from "../clock.js";
import type { Channel } from "../roles/channel.js";

export interface IdleConsumer {
  readonly path: string;
  readonly seconds: number;
}
export interface IdleConsumerAnswer {
  /** Of one core, over the seconds. */
  readonly cpuShare: number;
}

/** Runs one job, settles down for two seconds, then measures how much CPU doing nothing takes. */
export async function idleConsumer(
  { path, seconds }: IdleConsumer,
  channel: Channel,
): Promise<IdleConsumerAnswer> {
  const nothing = task("nothing", async () => 1);
  const queue = createQueue({ storage: sqliteStorage({ path }), tasks: { nothing } });
  const consumer = createConsumer(queue);
  await consumer.start();
  await (await queue.enqueue(nothing.job())).wait();
  await pause(2_000);
  await channel.ready();
  const begun = process.cpuUsage();
  await pause(seconds * 1_000);
  const { user, system } = process.cpuUsage(begun);
  const cpuShare = (user + system) / (seconds * 1e6);
  // The file is looked at before the consumer stops and the last connection is closed.
  channel.progress(1);
  await channel.stopped;
  await consumer.stop();
  await queue.close();
  return { cpuShare };
}
