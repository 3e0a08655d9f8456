import { createConsumer } from "@taskq/consumer";
import type { Channel } from "../roles/channel.js";
import { fileRecorder } from "./recorder.js";
import { openChaosQueue, recordTo } from "./tasks.js";

export interface ChaosConsumer {
  readonly path: string;
  /** Where it writes down its runs. */
  readonly log: string;
  readonly popping: boolean;
  readonly beating: boolean;
}
export interface ChaosConsumerAnswer {
  readonly stopped: true;
}

/** A consumer of ten workers and a lease of a second, to be killed at any moment. */
export async function chaosConsumer(
  { path, log, popping, beating }: ChaosConsumer,
  channel: Channel,
): Promise<ChaosConsumerAnswer> {
  const recorder = fileRecorder(log);
  recordTo(recorder);
  const queue = openChaosQueue({ path, popping, beating });
  queue.on("completed", ({ id, attempt }) => recorder.stored(id, attempt));
  const consumer = createConsumer(queue, { workers: 10, lease: "1s" });
  await consumer.start();
  await channel.stopped;
  await consumer.stop();
  await queue.close();
  return { stopped: true };
}
