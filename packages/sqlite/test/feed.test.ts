import { statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { FEED_KEPT, type EventsAnswer, type StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import {
  afterTest,
  claim,
  completed,
  failure,
  flow,
  openStorage,
  QUEUE,
  temporaryFolder,
} from "./support.ts";

const DAY = 86_400_000;

interface Opened {
  readonly storage: StorageContract;
  readonly database: Database.Database;
  readonly path: string;
}

async function opened(): Promise<Opened> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const database = new Database(path);
  afterTest(() => void database.close());
  return { storage, database, path };
}

function read(storage: StorageContract, from: string, now?: number): Promise<EventsAnswer> {
  return storage.events({ queue: QUEUE, from, limit: 1_000, now });
}

let request = 5_000;

/** Stores so many jobs and completes them in one step. */
async function completeJobs(storage: StorageContract, count: number): Promise<readonly string[]> {
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: count }, () => flow()) });
  request += 1;
  const runs = await claim(storage, request, count);
  expect(runs).toHaveLength(count);
  request += 1;
  const { settled } = await storage.step({
    queue: QUEUE,
    owner: "finisher",
    request,
    tasks: ["work"],
    settled: runs.map(completed),
    begun: [],
    claim: undefined,
  });
  expect(settled.every((answer) => answer === "applied")).toBe(true);
  return runs.map(({ id }) => id);
}

function rowsOf(database: Database.Database): number {
  return (database.prepare("SELECT count(*) AS n FROM taskq_events").get() as { n: number }).n;
}

test("a queue that nobody follows writes nothing of the feed", async () => {
  const { storage, database } = await opened();
  await completeJobs(storage, 20);
  expect(rowsOf(database)).toBe(0);
  expect(database.prepare("SELECT * FROM taskq_feeds").all()).toEqual([]);
  // And one row for each step, however many jobs it ended, once somebody does.
  await read(storage, "now");
  await completeJobs(storage, 20);
  expect(rowsOf(database)).toBe(1);
});

test("an idle reader writes at most once a day", async () => {
  const { storage, database, path } = await opened();
  const now = Date.now();
  await read(storage, "now", now);
  const look = (): string => {
    const { size, mtimeMs } = statSync(`${path}-wal`);
    return `${String(database.pragma("data_version", { simple: true }))} ${size} ${mtimeMs}`;
  };
  const before = look();
  for (let turn = 0; turn < 48; turn += 1)
    await read(storage, turn % 2 === 0 ? "now" : "start", now + (turn * DAY) / 48);
  expect(look()).toBe(before);
  await read(storage, "now", now + DAY + 1);
  const after = look();
  expect(after).not.toBe(before);
  await read(storage, "now", now + DAY + 2);
  expect(look()).toBe(after);
});

test("of more events than a feed keeps, the oldest are let go", async () => {
  const { storage, database } = await opened();
  const { cursor } = await read(storage, "now");
  const [tag] = cursor.split(".");
  const { id } = database.prepare("SELECT id FROM taskq_queues").get() as { id: number };
  // As if 1,200,000 jobs had ended, 256 a step; what they were is never looked at.
  const rows = Math.ceil((FEED_KEPT * 1.2) / 256);
  const last = rows * 256;
  database
    .prepare(
      "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) " +
        "INSERT INTO taskq_events (id, time, entries) SELECT (? << 40) + n * 256, ?, '[]' FROM numbers",
    )
    .run(rows, id, Date.now());
  database.prepare("UPDATE taskq_feeds SET last = ?").run(last);
  await completeJobs(storage, 2);
  const gone = Number((await failure(read(storage, cursor))).message.match(/up to number (\d+)/)?.[1]);
  expect(last + 2 - gone).toBeGreaterThanOrEqual(FEED_KEPT);
  expect(last - gone).toBeLessThan(FEED_KEPT * 1.1);
  expect(rowsOf(database)).toBe(Math.ceil((last - gone) / 256) + 1);
  const [told] = (await read(storage, `${tag}.${last + 1}`)).events;
  expect(told?.cursor).toMatch(new RegExp(`^${tag}\\.${last + 2}\\.`));
});

test("events that are not where their numbers say are no silent loss", async () => {
  const { storage, database } = await opened();
  const { cursor } = await read(storage, "now");
  for (let step = 0; step < 3; step += 1) await completeJobs(storage, 2);
  database
    .prepare(
      "DELETE FROM taskq_events WHERE id IN (SELECT id FROM taskq_events ORDER BY id LIMIT 1 OFFSET 1)",
    )
    .run();
  expect(await failure(read(storage, cursor))).toMatchObject({ code: "TASKQ_STORAGE", message: /has a gap/ });
  database.prepare("DELETE FROM taskq_events").run();
  expect(await failure(read(storage, cursor))).toMatchObject({ code: "TASKQ_STORAGE" });
});

test("the feed begins for a process that had the queue open before anybody followed", async () => {
  const { storage, path } = await opened();
  const other = await openStorage({ path });
  await completeJobs(other, 1);
  const { cursor } = await read(storage, "now");
  const ids = await completeJobs(other, 3);
  expect((await read(storage, cursor)).events.map((event) => event.id)).toEqual(ids);
});

test("queues of one file have a feed each", async () => {
  const { storage } = await opened();
  const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
  await storage.open({ queue: "other", retention });
  const mine = await read(storage, "now");
  const others = await storage.events({ queue: "other", from: "now", limit: 10 });
  const ids = await completeJobs(storage, 2);
  expect((await read(storage, mine.cursor)).events.map((event) => event.id)).toEqual(ids);
  expect((await storage.events({ queue: "other", from: others.cursor, limit: 10 })).events).toEqual([]);
});
