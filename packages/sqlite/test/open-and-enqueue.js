/** Opens the file when it is told to, and stores one job. */
import { createIdMaker } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";

process.once("message", () => void store());
async function store() {
  const storage = sqliteStorage({ path: process.env.TASKQ_FILE });
  const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
  await storage.open({ queue: "main", retention });
  const now = Date.now();
  const id = createIdMaker()(now);
  const job = {
    id,
    named: false,
    task: "work",
    body: new Uint8Array([1]),
    priority: 0,
    due: now,
    delivery: "at-least-once",
  };
  await storage.enqueue({ queue: "main", flows: [{ end: id, jobs: [job], joins: [] }] });
  await storage.close();
  process.disconnect();
}
process.send("ready");
