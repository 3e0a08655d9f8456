/** `@taskq/core/testing`: virtual time. */
export { advance } from "./testing/advance.js";
export { virtualClock } from "./testing/virtual-clock.js";
export type { VirtualClock } from "./testing/virtual-clock.js";
