import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import * as tasks from "./tasks.js";
export const queue = createQueue({ storage: sqliteStorage({ path: "jobs.db" }), tasks });
