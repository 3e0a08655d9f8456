import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { countBeans } from "./bean-tasks.js";

export function openBeanQueue(path: string) {
  return createQueue({ name: "beans", storage: sqliteStorage({ path }), tasks: { countBeans } });
}
