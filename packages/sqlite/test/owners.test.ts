import { join } from "node:path";
import type { ClaimedJob, SettledOutcome, StorageContract } from "@taskq/core/storage";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { afterTest, flow, QUEUE, storageOf, temporaryFolder } from "./support.ts";

const DAY = 86_400_000;
const START = Date.UTC(2035, 0, 1);
let requests = 0;

/** A storage of which final jobs are kept for three days, and the names of the owners in its file. */
async function setUp() {
  const path = join(temporaryFolder(), "jobs.db");
  const retention = { completed: { for: 3 * DAY, max: 1e6 }, failed: { for: DAY, max: 1e6 } };
  const open = async (): Promise<StorageContract> => {
    const storage = storageOf({ path });
    await storage.open({ queue: QUEUE, retention, now: START });
    return storage;
  };
  const database = new Database(path);
  afterTest(() => void database.close());
  const storage = await open();
  const owners = () => database.prepare("SELECT name FROM taskq_owners ORDER BY id").pluck().all();
  return { storage, open, owners, database };
}

interface Step {
  readonly owner: string;
  readonly now: number;
  readonly settled?: readonly ClaimedJob[];
  /** @default completed */
  readonly outcome?: SettledOutcome;
}

/** Settles runs, and claims so many jobs. */
async function settle(storage: StorageContract, step: Step, n = 0): Promise<readonly ClaimedJob[]> {
  const { owner, now, settled = [], outcome = { kind: "completed", result: undefined } } = step;
  requests += 1;
  const { claimed } = await storage.step({
    queue: QUEUE,
    owner,
    request: requests,
    tasks: ["work"],
    settled: settled.map((run) => ({ ...run, startedAt: now, outcome, add: undefined, claimed: run })),
    begun: [],
    claim: n === 0 ? undefined : { begin: n, ahead: 0, lease: 30 * DAY },
    now,
  });
  return claimed;
}

/** The same with a job of its own to claim. */
async function work(storage: StorageContract, step: Step): Promise<ClaimedJob> {
  await storage.enqueue({ queue: QUEUE, flows: [flow({ due: step.now })], now: step.now });
  const [run] = await settle(storage, step, 1);
  if (run === undefined) throw new Error("nothing was claimed");
  return run;
}

async function purge(storage: StorageContract, now: number): Promise<void> {
  await storage.purge({ queue: QUEUE, limit: 1_000, now });
}

test("owners that hold nothing are forgotten when nothing that they ran is kept any more", async () => {
  const { storage, owners } = await setUp();
  const held = await work(storage, { owner: "holds", now: START });
  const ended = await work(storage, { owner: "ended", now: START });
  const last = await work(storage, { owner: "ended", now: START, settled: [ended] });
  await settle(storage, { owner: "ended", now: START, settled: [last] });
  await work(storage, { owner: "later", now: START + 2 * DAY });
  await purge(storage, START + 3 * DAY - 1);
  const [record] = await storage.read({ queue: QUEUE, ids: [ended.id], now: START });
  expect(record).toMatchObject({ state: "completed", owner: "ended" });
  await purge(storage, START + 4 * DAY - 1);
  expect(owners()).toEqual(["holds", "ended", "later"]);
  await purge(storage, START + 4 * DAY);
  expect(owners()).toEqual(["holds", "later"]);
  const { lost } = await storage.renew({
    queue: QUEUE,
    owner: "holds",
    lease: DAY,
    runs: [held],
    now: START + 4 * DAY,
  });
  expect(lost).toEqual([]);
});

test("an owner that a waiting job names is known as long as it waits", async () => {
  const { storage, owners } = await setUp();
  const run = await work(storage, { owner: "tried", now: START });
  const retry = { kind: "retry", error: undefined, due: START + 90 * DAY, counts: true } as const;
  await settle(storage, { owner: "tried", now: START, settled: [run], outcome: retry });
  await work(storage, { owner: "last", now: START });
  for (const day of [4, 8, 40]) {
    await purge(storage, START + day * DAY);
    const [record] = await storage.read({ queue: QUEUE, ids: [run.id], now: START + day * DAY });
    expect(record).toMatchObject({ state: "scheduled", owner: "tried" });
  }
  await storage.amend({
    queue: QUEUE,
    ids: [run.id],
    change: { kind: "revoke", scope: "flow" },
    now: START + 40 * DAY,
  });
  for (const day of [43, 44, 45, 46]) await purge(storage, START + day * DAY);
  expect(owners()).toEqual(["last"]);
});

test("an owner that comes back gets a number that nobody had, on every connection", async () => {
  const { storage, open, database } = await setUp();
  const other = await open();
  const first = await work(storage, { owner: "rests", now: START });
  await settle(storage, { owner: "rests", now: START, settled: [first] });
  const number = (name: string) =>
    database.prepare("SELECT id FROM taskq_owners WHERE name = ?").pluck().get(name) as number;
  const before = number("rests");
  await work(other, { owner: "other", now: START + 3 * DAY });
  await purge(other, START + 5 * DAY);
  expect(number("rests")).toBeUndefined();
  const run = await work(storage, { owner: "rests", now: START + 5 * DAY });
  expect(number("rests")).toBeGreaterThan(before);
  for (const one of [storage, other]) {
    const asked = { queue: QUEUE, owner: "rests", lease: DAY, runs: [run], now: START + 5 * DAY };
    expect((await one.renew(asked)).lost).toEqual([]);
  }
});

test("one that works on is written down again four times a day, and is not forgotten", async () => {
  const { storage, owners, database } = await setUp();
  const seen = () => database.prepare("SELECT max(seen) FROM taskq_owners").pluck().get() as number;
  let run = await work(storage, { owner: "works", now: START });
  let changes = 0;
  for (let hour = 1; hour <= 6 * 24; hour += 1) {
    const now = START + (hour * DAY) / 24;
    const before = seen();
    run = await work(storage, { owner: "works", now, settled: [run] });
    if (seen() !== before) changes += 1;
    await purge(storage, now);
  }
  expect(changes).toBe(6 * 4);
  expect(owners()).toEqual(["works"]);
});

test("a purge forgets a bounded number of them, and never the last", async () => {
  const { owners, storage, database } = await setUp();
  const insert = database.prepare("INSERT INTO taskq_owners (name, seen) VALUES (?, ?)");
  for (let owner = 1; owner <= 250; owner += 1) insert.run(`gone ${owner}`, START);
  for (const left of [150, 50, 1, 1]) {
    await purge(storage, START + 4 * DAY);
    expect(owners()).toHaveLength(left);
  }
  expect(owners()).toEqual(["gone 250"]);
});
