/** Rows that somebody has removed by hand: what rested on them goes on. */
import { join } from "node:path";
import type { ClaimedJob, StorageContract } from "@taskq/core/storage";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { afterTest, flow, QUEUE, storageOf, temporaryFolder } from "./support.ts";

const LEASE = 30_000;
const KEPT = 1_000;
const START = Date.UTC(2035, 0, 1);

async function setUp() {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = storageOf({ path });
  const kept = { for: KEPT, max: 1e6 };
  await storage.open({ queue: QUEUE, retention: { completed: kept, failed: kept } });
  const database = new Database(path);
  afterTest(() => void database.close());
  return { storage, database };
}

let requests = 0;

async function step(storage: StorageContract, now: number, begin = 0, settled: readonly ClaimedJob[] = []) {
  requests += 1;
  return storage.step({
    queue: QUEUE,
    owner: "owner",
    request: requests,
    tasks: ["work"],
    settled: settled.map((run) => ({
      ...run,
      startedAt: now,
      outcome: { kind: "completed", result: undefined },
      add: undefined,
    })),
    begun: [],
    claim: begin === 0 ? undefined : { begin, ahead: 0, lease: LEASE },
    now,
  });
}

async function stored(storage: StorageContract, count: number): Promise<void> {
  const flows = Array.from({ length: count }, () => flow({ due: START - 10 * KEPT }));
  await storage.enqueue({ queue: QUEUE, flows });
}

test("runs whose lease was removed are found by the way, and taken when nobody renews them", async () => {
  const { storage, database } = await setUp();
  await stored(storage, 3);
  const { claimed } = await step(storage, START, 2);
  const [lives, died] = claimed as [ClaimedJob, ClaimedJob];
  database.exec("DELETE FROM taskq_leases WHERE id >= 0");
  await step(storage, START + 1);
  const renew = (now: number) =>
    storage.renew({ queue: QUEUE, owner: "owner", lease: LEASE, runs: [lives], now });
  for (let now = START; now < START + 4 * LEASE; now += LEASE / 3) {
    expect((await renew(now)).lost).toEqual([]);
    await step(storage, now);
    await storage.reap({ queue: QUEUE, limit: 10, now });
  }
  const records = await storage.read({ queue: QUEUE, ids: [lives.id, died.id] });
  expect(records).toMatchObject([{ state: "active" }, { crashes: 1 }]);
  expect((await storage.counts({ queue: QUEUE }))["*"]).toMatchObject({ active: 1 });
  expect((await step(storage, START + 5 * LEASE, 0, [lives, died])).settled).toEqual(["applied", "lost"]);
});

test("claims go on where the row of their numbers was removed, under greater fences than before", async () => {
  const { storage, database } = await setUp();
  await stored(storage, 6);
  const first = await step(storage, START, 2);
  await step(storage, START, 0, first.claimed.slice(0, 1));
  database.exec("DELETE FROM taskq_leases WHERE id < 0");
  expect((await storage.counts({ queue: QUEUE }))["*"]).toMatchObject({ active: 1 });
  const second = await step(storage, START + 1, 2);
  const third = await step(storage, START + 2, 2);
  const fences = [first, second, third].map(({ claimed }) => claimed[0]?.fence ?? 0);
  expect(fences[1]).toBeGreaterThan(fences[0] as number);
  expect(fences[2]).toBeGreaterThan(fences[1] as number);
  const { settled } = await step(storage, START + 3, 0, [...first.claimed.slice(1), ...second.claimed]);
  expect(settled).toEqual(["applied", "applied", "applied"]);
  const counts = { completed: 4, active: 2, ready: 0 };
  expect((await storage.counts({ queue: QUEUE }))["*"]).toMatchObject(counts);
});
