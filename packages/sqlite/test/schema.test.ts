import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import {
  afterTest,
  failure,
  flow,
  openStorage,
  QUEUE,
  RETENTION,
  storageOf,
  temporaryFolder,
} from "./support.ts";

function setVersion(path: string, version: number): void {
  const database = new Database(path);
  database.prepare("UPDATE taskq_meta SET value = ? WHERE name = 'schema'").run(version);
  database.close();
}

test("a file whose schema is newer is refused and left as it is", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  await (await openStorage({ path })).close();
  setVersion(path, 99);
  const error = await failure(storageOf({ path }).open({ queue: QUEUE, retention: RETENTION }));
  expect(error.code).toBe("TASKQ_SCHEMA");
  expect(error.message).toMatch(/expected schema 1 or older, got 99, made by a newer @taskq\/sqlite/);
});

test("with migrate 'check' a file without tables is refused, and none are made", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const error = await failure(
    storageOf({ path, migrate: "check" }).open({ queue: QUEUE, retention: RETENTION }),
  );
  expect(error.code).toBe("TASKQ_SCHEMA");
  expect(error.message).toMatch(/expected schema 1, got none; open it once with migrate: 'auto'/);
  const database = new Database(path);
  afterTest(() => void database.close());
  expect(database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()).toEqual({ tables: 0 });
});

test("with migrate 'check' a file that is up to date opens", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  await (await openStorage({ path })).close();
  await expect(openStorage({ path, migrate: "check" })).resolves.toBeDefined();
});

test("storages with other table prefixes do not see each other's jobs in one file", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const first = await openStorage({ path, tablePrefix: "one_" });
  const second = await openStorage({ path, tablePrefix: "two_" });
  const stored = flow();
  await first.enqueue({ queue: QUEUE, flows: [stored] });
  expect(await second.read({ queue: QUEUE, ids: [stored.end] })).toEqual([undefined]);
  expect(first.namespace).not.toBe(second.namespace);
});

test("a migration that is cut off leaves nothing behind", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  // No file may have more than 51 kB, and the tables need more: the process is ended while it writes them.
  const command = `ulimit -f 100; exec "${process.execPath}" "${join(import.meta.dirname, "open-once.js")}"`;
  const child = spawn("sh", ["-c", command], { env: { ...process.env, TASKQ_FILE: path }, stdio: "ignore" });
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect({ code, signal }).not.toEqual({ code: 0, signal: null });
  const after = new Database(path);
  afterTest(() => void after.close());
  expect(after.prepare("SELECT name FROM sqlite_schema").all()).toEqual([]);
  await openStorage({ path });
});

test("what is stored is there when the file is opened again", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const stored = flow();
  const first = await openStorage({ path });
  await first.enqueue({ queue: QUEUE, flows: [stored] });
  await first.close();
  const second = await openStorage({ path });
  expect(await second.read({ queue: QUEUE, ids: [stored.end] })).toMatchObject([
    { id: stored.end, state: "ready" },
  ]);
});

test("eight processes that open a new file at once all get the same tables", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const children = Array.from({ length: 8 }, () =>
    fork(new URL("./other-process.js", import.meta.url), { env: { ...process.env, TASKQ_FILE: path } }),
  );
  afterTest(() => children.forEach((child) => void child.kill("SIGKILL")));
  await Promise.all(children.map((child) => once(child, "message")));
  for (const child of children) {
    child.send("store");
    child.send("end");
  }
  const codes = await Promise.all(children.map(exitCode));
  expect(codes).toEqual(children.map(() => 0));
  const storage = await openStorage({ path });
  expect((await storage.counts({ queue: QUEUE }))["*"]?.ready).toBe(8);
}, 30_000);

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

test("a table prefix that differs from another of the file in capitals only is refused", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  await openStorage({ path });
  const error = await failure(openStorage({ path, tablePrefix: "TASKQ_" }));
  expect(error.code).toBe("TASKQ_SCHEMA");
  expect(error.message).toMatch(/expected the tablePrefix 'taskq_' of its tables, got 'TASKQ_'/);
});

test.each([
  ["the table 'app_jobs'", "CREATE TABLE app_jobs (title TEXT)"],
  ["the table 'app_meta'", "CREATE TABLE app_meta (key TEXT, text TEXT)"],
  ["the table 'app_meta'", "CREATE TABLE app_meta (name TEXT PRIMARY KEY, value TEXT)"],
  ["the view 'App_Events'", "CREATE VIEW App_Events AS SELECT 1 AS one"],
])("a file in which somebody else has %s is refused and left as it is", async (what, source) => {
  const path = join(temporaryFolder(), "app.db");
  const database = new Database(path);
  afterTest(() => void database.close());
  database.exec(source);
  const error = await failure(openStorage({ path, tablePrefix: "app_" }));
  expect(error.code).toBe("TASKQ_SCHEMA");
  expect(error.message).toContain(
    `expected the names that begin with 'app_' to be free, got ${what}, which is not of taskq; give sqliteStorage a tablePrefix of its own`,
  );
  const names = database.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").all();
  expect(names).toHaveLength(1);
  await openStorage({ path, tablePrefix: "taskq_" });
});

test.each([
  "meta = 'text'",
  "meta = 'null'",
  "meta = x'ff'",
  "gate = x'ff'",
  "task = x'ff'",
  "reason = x'ff', cause = 7",
  "priority = 'high', due = 'soon', attempt = 'many', fence = 'last'",
  "state = 'done'",
  "flags = 'none'",
  "owner = x'ff'",
  "body = 'text', result = 7, state = 5",
])("listing tells of a job, and of those beside it, also where somebody has set %s", async (change) => {
  const { storage, id, beside } = await withChange(change);
  const { records } = await storage.list({ queue: QUEUE, limit: 10, after: undefined });
  expect(records.map((record) => record.id)).toEqual([id, beside]);
});

test.each(["epoch = 'text'", "epoch = x'ff'", "epoch = -1", "epoch = 1.5", "phase = 'text'", "phase = 9"])(
  "a queue in whose row somebody has set %s is refused with TASKQ_STORAGE",
  async (change) => {
    const path = join(temporaryFolder(), "jobs.db");
    await openStorage({ path });
    const file = new Database(path);
    file.exec(`UPDATE taskq_queues SET ${change}`);
    file.close();
    const error = await failure(openStorage({ path }));
    expect(error.code).toBe("TASKQ_STORAGE");
    expect(error.message).toMatch(/the row of the queue "main" is damaged: expected an epoch and a phase/);
  },
);

/** Two jobs are stored, and then somebody writes into the row of the first. */
async function withChange(change: string) {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const [stored, beside] = [flow(), flow()];
  await storage.enqueue({ queue: QUEUE, flows: [stored, beside] });
  const file = new Database(path);
  file.exec(`UPDATE taskq_jobs SET ${change} WHERE key = (SELECT min(key) FROM taskq_jobs)`);
  file.close();
  return { storage, id: stored.end, beside: beside.end };
}
