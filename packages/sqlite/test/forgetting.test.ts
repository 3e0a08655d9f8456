/** What has a time of its own goes some at a time, however much has come together. */
import { join } from "node:path";
import type { StepAnswer, StorageContract } from "@taskq/core/storage";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { afterTest, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const START = Date.UTC(2035, 0, 1);
const MANY = 2_200;

async function setUp() {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const database = new Database(path, { readonly: true });
  afterTest(() => void database.close());
  const rows = (table: string) =>
    database.prepare(`SELECT count(*) FROM taskq_${table}`).pluck().get() as number;
  return { storage, rows };
}

let requests = 0;

function step(storage: StorageContract, now: number): Promise<StepAnswer> {
  requests += 1;
  const claim = { begin: 1, ahead: 0, lease: 30_000 };
  return storage.step({
    queue: QUEUE,
    owner: "owner",
    request: requests,
    tasks: ["other"],
    settled: [],
    begun: [],
    claim,
    now,
  });
}

async function storeKeyed(storage: StorageContract, key: string, due = START): Promise<string | undefined> {
  const unique = { key, until: START + 1_000, onConflict: "ignore" } as const;
  const answer = await storage.enqueue({ queue: QUEUE, flows: [flow({ due, unique })], now: due });
  return "flows" in answer ? answer.flows[0]?.status : undefined;
}

test("of keys that run out together some go with each step, and all are free at once", async () => {
  const { storage, rows } = await setUp();
  for (let key = 0; key < MANY; key += 1) await storeKeyed(storage, `${key}`);
  const { more, nextDue } = await step(storage, START + 1_000);
  expect(rows("uniques")).toBe(MANY - 500);
  expect(more).toBe(true);
  expect(nextDue).toBeLessThanOrEqual(START + 1_000);
  expect(await storeKeyed(storage, `${MANY - 1}`, START + 1_000)).toBe("stored");
  for (let turn = 0; turn < 5; turn += 1) await step(storage, START + 1_001);
  expect(rows("uniques")).toBe(0);
});

test("values and answers whose time is over go one step after the other, also where there are no jobs", async () => {
  const { storage, rows } = await setUp();
  const calls = Array.from({ length: MANY }, (_, call) =>
    storage.values({
      queue: QUEUE,
      operation: `${call}`,
      operations: [{ kind: "set", key: `${call}`, bytes: new Uint8Array(1), expiresAt: START + 1_000 }],
      now: START,
    }),
  );
  await Promise.all(calls);
  await step(storage, START);
  expect([rows("values"), rows("operations")]).toEqual([MANY, MANY]);
  const later = START + 3_600_000;
  for (let turn = 0; turn < 5; turn += 1) await step(storage, later + turn);
  expect([rows("values"), rows("operations")]).toEqual([0, 0]);
});

test("starts under limits that nobody asks for again go too, where there are no jobs", async () => {
  const { storage, rows } = await setUp();
  for (let key = 0; key < MANY; key += 1) {
    await storage.take({ queue: QUEUE, operation: `${key}`, key: `${key}`, max: 1, per: 1_000, now: START });
  }
  expect(rows("starts")).toBe(MANY);
  const later = START + 3_600_000;
  for (let turn = 0; turn < 5; turn += 1) await step(storage, later + turn);
  expect([rows("starts"), rows("operations")]).toEqual([0, 0]);
});

test("a flush removes what is beside the jobs some at a time too", async () => {
  const { storage, rows } = await setUp();
  for (let call = 0; call < MANY; call += 1) {
    const operations = [
      { kind: "set", key: `${call}`, bytes: new Uint8Array(1), expiresAt: undefined },
    ] as const;
    await storage.values({ queue: QUEUE, operation: `${call}`, operations });
  }
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 300 }, () => flow()) });
  const left = (): number => rows("jobs") + rows("values") + rows("operations");
  let turns = 0;
  for (let before = left(), more = true; more && turns < 20; turns += 1) {
    ({ more } = await storage.purge({ queue: QUEUE, limit: 1_000, everything: true }));
    expect(before - left()).toBeLessThanOrEqual(1_000);
    before = left();
  }
  expect(left()).toBe(0);
  expect(turns).toBeLessThan(20);
});

test("a feed that is let go is empty at once, and its rows go some at a time", async () => {
  const { storage, rows } = await setUp();
  const read = () => storage.events({ queue: QUEUE, from: "now", limit: 10 });
  await read();
  for (let turn = 0; turn < MANY; turn += 1) {
    const one = flow();
    await storage.enqueue({ queue: QUEUE, flows: [one] });
    await storage.amend({ queue: QUEUE, ids: [one.end], change: { kind: "revoke", scope: "flow" } });
  }
  expect(rows("events")).toBe(MANY);
  const begin = await storage.events({ queue: QUEUE, from: "start", limit: 10 });
  expect(begin.events).toHaveLength(10);
  for (let more = true, turns = 0; more && turns < 20; turns += 1) {
    ({ more } = await storage.purge({ queue: QUEUE, limit: 1_000, everything: true }));
  }
  expect(rows("events")).toBe(MANY - 2_048);
  expect((await storage.events({ queue: QUEUE, from: "start", limit: 10 })).events).toEqual([]);
  const last = flow();
  await storage.enqueue({ queue: QUEUE, flows: [last] });
  await storage.amend({ queue: QUEUE, ids: [last.end], change: { kind: "revoke", scope: "flow" } });
  const { events } = await storage.events({ queue: QUEUE, from: "start", limit: 10 });
  expect(events.map(({ id }) => id)).toEqual([last.end]);
  await step(storage, Date.now());
  expect(rows("events")).toBe(1);
});
