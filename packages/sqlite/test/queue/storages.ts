import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createQueue, type Queue, type QueueOptions, type Storage } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { afterEach } from "vitest";
import { sqliteStorage } from "../../src/index.js";

/** What the tests of a queue run on. */
export const storages: readonly { readonly name: string; readonly make: () => Storage }[] = [
  { name: "memory", make: memoryStorage },
  {
    name: "sqlite",
    make: () => {
      const folder = mkdtempSync(join(tmpdir(), "taskq-queue-"));
      folders.push(folder);
      return sqliteStorage({ path: join(folder, "jobs.db") });
    },
  },
];

const folders: string[] = [];
const queues: Queue[] = [];

/** A queue in immediate mode, closed after the test. */
export function immediateQueue<const Tasks extends object>(
  storage: Storage,
  tasks: Tasks,
  options: Omit<QueueOptions, "storage"> = {},
): ReturnType<typeof createQueue<Tasks>> {
  const queue = createQueue({ storage, tasks, immediate: true, ...options });
  queues.push(queue);
  return queue;
}

afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
