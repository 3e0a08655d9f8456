/** `@taskq/consumer`: claims jobs, executes them, fires periodic tasks. */
export { createConsumer } from "./create-consumer.js";
export type { Consumer, ConsumerHealth } from "./consumer.js";
export type { ConsumerOptions } from "./consumer-options.js";
export { drain } from "./drain.js";
export type { DrainReport } from "./drain.js";
