import { join } from "node:path";
import type { ClaimedJob, Settlement, StepAnswer, StorageContract } from "@taskq/core/storage";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { afterTest, claim, failure, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

let request = 1_000;

function step(
  storage: StorageContract,
  now: number,
  settled: readonly Settlement[] = [],
): Promise<StepAnswer> {
  request += 1;
  const claiming = { begin: 1, ahead: 0, lease: 30_000 };
  return storage.step({
    queue: QUEUE,
    owner: "owner",
    request,
    tasks: ["none"],
    settled,
    begun: [],
    claim: claiming,
    now,
  });
}

function completed(run: ClaimedJob | undefined, now: number): Settlement {
  const outcome = { kind: "completed", result: undefined } as const;
  return { id: run!.id, fence: run!.fence, startedAt: now, outcome, add: undefined, claimed: run };
}

async function count(storage: StorageContract): Promise<number> {
  const { rows } = await storage.stats({ queue: QUEUE, since: 0 });
  return rows.reduce((sum, row) => sum + row.completed, 0);
}

async function started(): Promise<{ path: string; storage: StorageContract; runs: readonly ClaimedJob[] }> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 5 }, () => flow()) });
  return { path, storage, runs: await claim(storage, 1, 5) };
}

test("statistics are written once after the last job, a second after the write before, and then nothing is", async () => {
  const { path, storage, runs } = await started();
  const now = Date.now();
  await step(storage, now, [completed(runs[0], now)]);
  await step(storage, now + 10, [completed(runs[1], now)]);
  const other = await openStorage({ path });
  expect([await count(storage), await count(other)]).toEqual([2, 1]);
  const database = new Database(path);
  afterTest(() => void database.close());
  const version = (): unknown => database.pragma("data_version", { simple: true });
  const before = version();
  await step(storage, now + 999);
  expect(version()).toBe(before);
  await step(storage, now + 1_000);
  const after = version();
  expect(after).not.toBe(before);
  expect(await count(other)).toBe(2);
  for (let turn = 1; turn < 10; turn += 1) await step(storage, now + 1_000 + turn * 1_000);
  expect(version()).toBe(after);
});

test("a flush that is undone with its transaction loses nothing, and counts nothing twice", async () => {
  const { path, storage, runs } = await started();
  const now = Date.now();
  await step(storage, now, [completed(runs[0], now)]);
  await step(storage, now + 10, [completed(runs[1], now)]);
  const add = [flow({ after: [{ source: "nobody", on: "completed" }] })];
  // Behind a busy file, the steps come into one transaction: the last one undoes what the first has written.
  const busy = new Database(path);
  afterTest(() => void busy.close());
  busy.exec("BEGIN IMMEDIATE");
  const first = step(storage, now + 2_000, [completed(runs[2], now)]);
  const second = step(storage, now + 2_000, [completed(runs[3], now)]);
  const last = failure(step(storage, now + 2_000, [{ ...completed(runs[4], now), add }]));
  busy.exec("COMMIT");
  expect([(await first).settled, (await second).settled]).toEqual([["applied"], ["applied"]]);
  expect((await last).message).toContain("waits for nobody, which is not known");
  const other = await openStorage({ path });
  expect([await count(storage), await count(other)]).toEqual([4, 3]);
  await step(storage, now + 3_000, [completed(runs[4], now)]);
  expect([await count(storage), await count(other)]).toEqual([5, 5]);
});

test("statistics are written when the storage closes, those of runs that another one settled too not twice", async () => {
  const { path, storage, runs } = await started();
  const other = await openStorage({ path });
  const now = Date.now();
  await step(storage, now, [completed(runs[0], now)]);
  await step(storage, now + 10, [completed(runs[1], now)]);
  expect((await step(other, now + 10, [completed(runs[1], now)])).settled).toEqual(["repeated"]);
  await storage.close();
  expect((await failure(storage.stats({ queue: QUEUE, since: 0 }))).code).toBe("TASKQ_CLOSED");
  expect(await count(other)).toBe(2);
  expect((await failure(other.stats({ queue: "none", since: 0 }))).code).toBe("TASKQ_STORAGE");
});
