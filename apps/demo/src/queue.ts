import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import * as fileTasks from "./file-tasks.js";
import * as tutorialTasks from "./tutorial-tasks.js";

/** The queue of the demo; each process opens the file for itself. */
export function openQueue(path: string) {
  return createQueue({
    name: "demo",
    storage: sqliteStorage({ path }),
    tasks: { ...tutorialTasks, ...fileTasks },
  });
}

export type DemoQueue = ReturnType<typeof openQueue>;

/** Jobs that come in thousands: they are counted, not listed. */
export function isCounted(event: { readonly task: string }): boolean {
  return event.task === fileTasks.countFile.name;
}
