/** Waits for a lock of a file until it is killed. */
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

const queue = createQueue({ storage: sqliteStorage({ path: process.env.TASKQ_FILE }), tasks: {} });
await queue.lock("door", { ttl: "10m" }).acquire();
