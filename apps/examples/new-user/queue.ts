import { createQueue } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import * as tasks from "./tasks.js";

export const storages = { memoryStorage, sqliteStorage };
export const queue = createQueue({
  storage: memoryStorage(),
  tasks,
});
