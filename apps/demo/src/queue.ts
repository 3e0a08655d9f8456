import { createQueue } from "@taskq/core";
import * as fileTasks from "./file-tasks.js";
import { storageAt } from "./store.js";
import * as tutorialTasks from "./tutorial-tasks.js";

/** The queue of the demo; each process opens the storage for itself. */
export function openQueue(place: string) {
  return createQueue({
    name: "demo",
    storage: storageAt(place),
    tasks: { ...tutorialTasks, ...fileTasks },
  });
}

export type DemoQueue = ReturnType<typeof openQueue>;

/** Jobs that come in thousands: they are counted, not listed. */
export function isCounted(event: { readonly task: string }): boolean {
  return event.task === fileTasks.countFile.name;
}
