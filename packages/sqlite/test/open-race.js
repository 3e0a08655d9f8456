/** Opens the store of a race in each of its processes, which run what is published. */
import { sqliteStorage } from "@taskq/sqlite";

export async function open() {
  return sqliteStorage({ path: process.env.TASKQ_RACE_FILE });
}
