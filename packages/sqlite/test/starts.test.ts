import { join } from "node:path";
import Database from "better-sqlite3";
import type { NewGate, StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { afterTest, claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const START = Date.UTC(2035, 0, 1);
const PER = 1_000;
const MAX = 5;
/** How long a call may wait for the file, and so how far behind others its clock may be. */
const BEHIND = 10_000;

async function counting(): Promise<{
  readonly storage: StorageContract;
  readonly stored: () => number;
}> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const database = new Database(path, { readonly: true });
  afterTest(() => void database.close());
  const count = database.prepare("SELECT count(*) FROM taskq_starts").pluck();
  return { storage, stored: () => count.get() as number };
}

let operations = 0;

async function take(storage: StorageContract, key: string, now: number): Promise<boolean> {
  operations += 1;
  const request = { queue: QUEUE, operation: `${operations}`, key, max: MAX, per: PER, now };
  return (await storage.take(request)).taken;
}

test("the log of a limit stays as long as its window and a wait for the file", async () => {
  const { storage, stored } = await counting();
  let taken = 0;
  for (let now = START; now < START + 100 * PER; now += PER / 10) {
    if (await take(storage, "api", now)) taken += 1;
    expect(stored()).toBeLessThanOrEqual(MAX * (1 + BEHIND / PER) + 8);
  }
  expect(taken).toBe(100 * MAX);
});

test("a call that waited for the file finds the starts of its own moment, although others have passed it", async () => {
  const { storage } = await counting();
  for (let count = 0; count < MAX; count += 1) expect(await take(storage, "api", START)).toBe(true);
  for (let count = 1; count < MAX; count += 1) expect(await take(storage, "api", START + PER)).toBe(true);
  expect(await take(storage, "api", START + PER - 1)).toBe(false);
});

test("starts under keys that nobody asks for again are removed by the way", async () => {
  const { storage, stored } = await counting();
  for (let tenant = 0; tenant < 700; tenant += 1) await take(storage, `tenant ${tenant}`, START);
  expect(stored()).toBe(700);
  await storage.purge({ queue: QUEUE, limit: 100, now: START + PER + BEHIND });
  expect(stored()).toBe(200);
  await storage.purge({ queue: QUEUE, limit: 100, now: START + PER + BEHIND });
  expect(stored()).toBe(0);
});

test("a used up limit is waited for without writing", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const gates: NewGate[] = [{ kind: "limit", key: "api", max: 1, per: 3_600_000, onBusy: "wait" }];
  await storage.enqueue({ queue: QUEUE, flows: [flow({ gates }), flow({ gates })] });
  expect(await claim(storage, 1, 5)).toHaveLength(1);
  const database = new Database(path);
  afterTest(() => void database.close());
  const version = (): unknown => database.pragma("data_version", { simple: true });
  const before = version();
  const request = { queue: QUEUE, key: "api", max: 1, per: 3_600_000 };
  for (let turn = 0; turn < 20; turn += 1) {
    expect(await claim(storage, turn + 2, 5)).toEqual([]);
    expect(await storage.take({ ...request, operation: `try ${turn}` })).toMatchObject({ taken: false });
  }
  expect(version()).toBe(before);
});
