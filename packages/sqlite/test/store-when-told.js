/** Opens the file, and stores a job for each message; answers with its id. */
import { createIdMaker } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";

const storage = sqliteStorage({ path: process.env.TASKQ_FILE });
const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
await storage.open({ queue: "main", retention });
const makeId = createIdMaker();
process.on("message", () => void store());
async function store() {
  const now = Date.now();
  const id = makeId(now);
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
  process.send(id);
}
process.send("ready");
