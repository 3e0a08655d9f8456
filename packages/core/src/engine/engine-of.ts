import { TaskqError } from "../errors.js";
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
  if (isOfAnotherCopy(queue)) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `queue: the queue '${queue.name}' was made by another copy of @taskq/core than the package has that is given it; ` +
        "'npm ls @taskq/core' shows them: install one version for all",
    );
  }
  throw unexpected("queue", "a queue, made by createQueue", queue);
}

/** By its members, of which no other thing has all. */
function isOfAnotherCopy(given: Partial<Queue> | null | undefined): given is Queue {
  return typeof given?.name === "string" && typeof given.enqueue === "function" && given.tasks instanceof Map;
}
