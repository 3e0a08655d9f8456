import type { Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { printable } from "./printable.js";
import type { Style } from "./style.js";

/** Jobs that wait when it begins, of which it is looked at whose task is missing. */
const LOOKED_AT = 100;

/** Says once of each task that jobs of a queue wait for which the module does not have: otherwise they would wait in silence. */
export function tellOfUnknownTasks(queue: Queue, print: (text: string) => void, style: Style): Disposable {
  return engineOf(queue).unknownTasks.on((task) => {
    const what = `the queue '${queue.name}' of this module has no task '${printable(task)}'`;
    print(`${style.yellow("warning")}: ${what}; its jobs wait for a consumer that has it\n`);
  });
}

/** Those that another consumer has put aside before. */
export async function lookForUnknownTasks(queue: Queue): Promise<void> {
  const { name, storage, tasks, unknownTasks } = engineOf(queue);
  const { records } = await storage.list({ queue: name, states: ["parked"], limit: LOOKED_AT });
  for (const { task } of records) if (!tasks.has(task)) unknownTasks.meet(task);
}
