/** Opens a file, and closes it. */
import { sqliteStorage } from "@taskq/sqlite";

const storage = sqliteStorage({ path: process.env.TASKQ_FILE });
const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
await storage.open({ queue: "main", retention });
await storage.close();
