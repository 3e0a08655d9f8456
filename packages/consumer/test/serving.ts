import type { Queue } from "@taskq/core";
import { onTestFinished } from "vitest";
import { createConsumer, type Consumer, type ConsumerOptions } from "../src/index.js";

/** The queue is closed at the end of the test. */
export function closing<AnyQueue extends AsyncDisposable>(queue: AnyQueue): AnyQueue {
  onTestFinished(() => queue[Symbol.asyncDispose]());
  return queue;
}

/** A consumer that has started, and is stopped at the end of the test. */
export async function serve(queues: Queue | readonly Queue[], options?: ConsumerOptions): Promise<Consumer> {
  const consumer = createConsumer(queues, options);
  onTestFinished(() => consumer.stop({ grace: 0 }).catch(() => {}));
  await consumer.start();
  return consumer;
}
