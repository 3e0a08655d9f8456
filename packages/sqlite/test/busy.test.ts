import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import Database from "better-sqlite3";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { settingsOf } from "../src/options.ts";
import { Session } from "../src/session.ts";
import { afterTest, failure, flow, openStorage, QUEUE, RETENTION, temporaryFolder } from "./support.ts";

/** Another process holds the write lock for that long. */
async function holdLock(path: string, milliseconds: number): Promise<void> {
  const child = fork(new URL("./hold-lock.js", import.meta.url), [path, String(milliseconds)]);
  afterTest(() => void child.kill("SIGKILL"));
  await once(child, "message");
}

test("a file that another process holds for two seconds blocks no event loop, and is written then", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const stored = flow();
  await holdLock(path, 2_000);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const started = performance.now();
  const answers = await Promise.all([
    storage.enqueue({ queue: QUEUE, flows: [stored] }),
    storage.values({
      queue: QUEUE,
      operation: "one",
      operations: [{ kind: "increment", key: "n", by: 1, expiresAt: undefined }],
    }),
    // Reading does not wait for the writer.
    storage
      .read({ queue: QUEUE, ids: [stored.end] })
      .then((records) => [records, performance.now() - started]),
  ]);
  delay.disable();
  expect(performance.now() - started).toBeGreaterThan(1_000);
  expect(answers[0]).toMatchObject({ flows: [{ status: "stored" }] });
  expect(answers[1]).toEqual([{ kind: "number", number: 1 }]);
  expect(answers[2][0]).toEqual([undefined]);
  expect(answers[2][1]).toBeLessThan(1_000);
  // In nanoseconds. A wait that blocks would last for two seconds; this machine may be busy with other tests.
  expect(delay.percentile(99) / 1e6).toBeLessThan(500);
});

test("calls made while the file is busy are carried out in their order", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  await holdLock(path, 300);
  const stored = flow();
  const enqueued = storage.enqueue({ queue: QUEUE, flows: [stored] });
  await new Promise((resolve) => setTimeout(resolve, 30));
  const step = storage.step({
    queue: QUEUE,
    owner: "owner",
    request: 1,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 1, ahead: 0, lease: 1000 },
  });
  expect((await step).claimed.map(({ id }) => id)).toEqual([stored.end]);
  await enqueued;
});

test("a file that stays busy rejects with TASKQ_BUSY after the limit, and nothing is stored", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const session = await Session.open(path, settingsOf({ path }), 300);
  afterTest(() => session.close());
  await session.openQueue({ queue: QUEUE, retention: RETENTION });
  const other = new Database(path);
  afterTest(() => void other.close());
  other.exec("BEGIN IMMEDIATE");
  const started = performance.now();
  const error = await failure(
    session.writer.group(({ connection }) => {
      connection.sql("INSERT INTO {owners} (name) VALUES ('never')").run();
    }),
  );
  expect(error.code).toBe("TASKQ_BUSY");
  expect(error.message).toMatch(/expected to write within 300 ms, but others held it all the time/);
  expect(error.cause).toMatchObject({ code: "SQLITE_BUSY" });
  expect(performance.now() - started).toBeGreaterThan(250);
  other.exec("COMMIT");
  expect(other.prepare("SELECT count(*) AS owners FROM taskq_owners").get()).toEqual({ owners: 0 });
  await expect(session.writer.now(() => "works again")).resolves.toBe("works again");
});

test.each(["SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED", "SQLITE_PROTOCOL"])(
  "a write that SQLite has given up for others is tried again (%s)",
  async (code) => {
    const path = join(temporaryFolder(), "jobs.db");
    const session = await Session.open(path, settingsOf({ path }), 300);
    afterTest(() => session.close());
    let tries = 0;
    const work = (): string => {
      tries += 1;
      if (tries === 1) throw Object.assign(new Error("given up"), { code });
      return "written";
    };
    await expect(session.writer.group(work)).resolves.toBe("written");
    expect(tries).toBe(2);
  },
);

test("a file that is busy as it is opened is asked again", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const first = sqliteStorage({ path });
  afterTest(() => first[Symbol.asyncDispose]());
  const other = new Database(path);
  afterTest(() => void other.close());
  other.exec("BEGIN EXCLUSIVE");
  setTimeout(() => other.exec("COMMIT"), 200);
  await expect(openStorage({ path })).resolves.toBeDefined();
});

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "stored",
    (error: unknown) => (error as { code: string }).code,
  );

test("jobs are stored again after those that came together were refused because the file stayed busy", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const session = await Session.open(path, settingsOf({ path }), 200);
  afterTest(() => session.close());
  await session.openQueue({ queue: QUEUE, retention: RETENTION });
  const other = new Database(path);
  afterTest(() => void other.close());
  const enqueue = () => session.batches.add(session.queue(QUEUE), Date.now(), flow());
  other.exec("BEGIN IMMEDIATE");
  const refused = [codeOf(enqueue()), codeOf(session.writer.group(() => {}))];
  await new Promise((resolve) => setTimeout(resolve, 150));
  const late = codeOf(enqueue());
  expect(await Promise.all(refused)).toEqual(["TASKQ_BUSY", "TASKQ_BUSY"]);
  other.exec("COMMIT");
  expect(await late).toBe("stored");
  expect(await Promise.all([1, 2, 3].map(() => codeOf(enqueue())))).toEqual(["stored", "stored", "stored"]);
});

test("each call rejects after the file was deleted, however many come together", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  rmSync(path);
  const enqueue = () => codeOf(storage.enqueue({ queue: QUEUE, flows: [flow()] }));
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let round = 0; round < 2; round += 1) {
    expect(await Promise.all([enqueue(), enqueue()])).toEqual(["TASKQ_STORAGE", "TASKQ_STORAGE"]);
  }
});
