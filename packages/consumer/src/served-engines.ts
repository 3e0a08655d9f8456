import type { Queue } from "@taskq/core";
import { engineOf, unexpected, type Engine } from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";

/**
 * The queues from inside.
 *
 * @param what names the caller in errors
 * @throws `TASKQ_OPTION` for what is no queue, none, or one twice; `TASKQ_IMMEDIATE` for one in immediate mode
 */
export function enginesOf(
  queues: Queue | readonly Queue[],
  what: string,
  instead: string,
): readonly Engine[] {
  const engines = (Array.isArray(queues) ? (queues as readonly Queue[]) : [queues as Queue]).map((queue) =>
    engineOf(queue),
  );
  if (engines.length === 0)
    throw unexpected(`${what} queues`, "a queue, or an array of at least one", queues);
  for (const [index, engine] of engines.entries()) {
    const { name, storage } = engine;
    if (engine.runInline !== undefined) {
      throw new TaskqError(
        "TASKQ_IMMEDIATE",
        `${what}: the queue '${name}' is in immediate mode, and executes its jobs itself; ${instead}`,
      );
    }
    const same = engines.findIndex((other) => other.name === name && other.storage === storage);
    if (same < index) {
      throw new TaskqError(
        "TASKQ_OPTION",
        `${what}: expected each queue once, got '${name}' on one storage twice`,
      );
    }
  }
  return engines;
}
