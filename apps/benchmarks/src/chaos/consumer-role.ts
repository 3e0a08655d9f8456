import { createConsumer } from "@taskq/consumer";
import type { Channel } from "../roles/channel.js";
import { fileRecorder } from "./recorder.js";
import type { Store } from "./stores.js";
import { openChaosQueue, recordTo, type Flaw } from "./tasks.js";

export interface ChaosConsumer {
  readonly store: Store;
  /** Where it writes down its runs. */
  readonly log: string;
  readonly flaw?: Flaw | undefined;
  readonly beating: boolean;
}
export interface ChaosConsumerAnswer {
  readonly stopped: true;
}

/** In milliseconds. */
export const LEASE = 1_000;

/** A consumer of ten workers, to be killed at any moment. */
export async function chaosConsumer(
  { store, log, flaw, beating }: ChaosConsumer,
  channel: Channel,
): Promise<ChaosConsumerAnswer> {
  const recorder = fileRecorder(log);
  recordTo(recorder);
  const queue = await openChaosQueue({ store, flaw, beating });
  queue.on("completed", ({ id, attempt }) => recorder.stored(id, attempt));
  const consumer = createConsumer(queue, { workers: 10, lease: LEASE });
  await consumer.start();
  recorder.up();
  await channel.stopped;
  await consumer.stop();
  await queue.close();
  return { stopped: true };
}
