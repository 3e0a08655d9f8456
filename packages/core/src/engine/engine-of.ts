import { unexpected } from "../options.js";
import type { Queue } from "../vocabulary/queue.js";
import type { Engine } from "./engine-types.js";

const engines = new WeakMap<Queue, Engine>();

export function bindEngine(queue: Queue, engine: Engine): void {
  engines.set(queue, engine);
}

/** A queue from inside. @throws `TASKQ_OPTION` for what `createQueue` did not make */
export function engineOf(queue: Queue): Engine {
  const engine = typeof queue === "object" && queue !== null ? engines.get(queue) : undefined;
  if (engine !== undefined) return engine;
  throw unexpected("queue", "a queue, made by createQueue of the same copy of @taskq/core", queue);
}
