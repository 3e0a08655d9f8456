/** Opens the file with the first message; stores a job for each `store`, and answers with its id; ends with `end`. */
import { createIdMaker } from "@taskq/core/storage";
import { sqliteStorage } from "@taskq/sqlite";

const storage = sqliteStorage({ path: process.env.TASKQ_FILE });
const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
const makeId = createIdMaker();
let open;

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

async function end() {
  await storage.close();
  process.disconnect();
}

const actions = { open: async () => process.send("open"), store, end };
process.on("message", (message) => {
  open = (open ?? storage.open({ queue: "main", retention })).then(actions[message]);
});
process.send("ready");
