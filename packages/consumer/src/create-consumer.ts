import type { Queue } from "@taskq/core";
import type { Consumer } from "./consumer.js";
import { checkedConsumerOptions, type ConsumerOptions } from "./consumer-options.js";
import { QueueConsumer } from "./queue-consumer.js";
import { enginesOf } from "./served-engines.js";

/**
 * Claims the jobs of one or more queues, executes them with several workers, and fires periodic tasks. It does
 * nothing before `run` or `start`.
 *
 * @throws `TASKQ_IMMEDIATE` for a queue in immediate mode, `TASKQ_OPTION` for an option that is none
 * @example await createConsumer(queue, { workers: 4 }).run();
 */
export function createConsumer(queues: Queue | readonly Queue[], options: ConsumerOptions = {}): Consumer {
  const engines = enginesOf(queues, "createConsumer", "a consumer takes a queue without immediate: true");
  return new QueueConsumer(engines, checkedConsumerOptions(options));
}
