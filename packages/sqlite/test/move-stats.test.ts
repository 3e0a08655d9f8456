/** Statistics that processes gather in memory, and a queue that leaves meanwhile. */
import { join } from "node:path";
import type { ClaimedJob, Settlement, StepAnswer, StorageContract } from "@taskq/core/storage";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { afterTest, claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

let request = 1_000;

function step(
  storage: StorageContract,
  now: number,
  runs: readonly ClaimedJob[] = [],
  last = false,
): Promise<StepAnswer> {
  request += 1;
  const outcome = { kind: "completed", result: undefined } as const;
  const settled = runs.map((run): Settlement => ({
    id: run.id,
    fence: run.fence,
    startedAt: now,
    outcome,
    add: undefined,
    claimed: run,
  }));
  const plain = { begun: [], claim: undefined, last, now };
  return storage.step({ queue: QUEUE, owner: "owner", request, tasks: [], settled, ...plain });
}

/** What is written, as a connection of its own reads it. */
async function written(path: string): Promise<number> {
  const storage = await openStorage({ path });
  const { rows } = await storage.stats({ queue: QUEUE, since: 0 });
  await storage.close();
  return rows.reduce((sum, row) => sum + row.completed, 0);
}

function begin(storage: StorageContract) {
  return storage.export({ queue: QUEUE, kind: "begin" });
}

async function fiveRuns() {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 5 }, () => flow()) });
  const [first, ...rest] = await claim(storage, 1, 5);
  if (first === undefined) throw new Error("nothing was claimed");
  const now = Date.now();
  // The first one is written at once, and what comes within a second is gathered.
  await step(storage, now, [first]);
  return { path, storage, now, rest };
}

test("what was gathered is written before the queue is still", async () => {
  const { path, storage, now, rest } = await fiveRuns();
  await step(storage, now + 10, rest);
  expect(await written(path)).toBe(1);
  expect((await begin(storage)).still).toBe(true);
  expect(await written(path)).toBe(5);
});

test("what is settled as the queue leaves is written with what was gathered before it", async () => {
  const { path, storage, now, rest } = await fiveRuns();
  const mover = await openStorage({ path });
  await step(storage, now + 10, rest.slice(0, 2));
  expect((await begin(mover)).active).toBe(2);
  await step(storage, now + 20, rest.slice(2));
  expect((await begin(mover)).still).toBe(true);
  expect(await written(path)).toBe(5);
});

test("what is gathered in the transaction in which the queue begins to leave goes along", async () => {
  const { path, storage, now, rest } = await fiveRuns();
  const other = new Database(path);
  afterTest(() => void other.close());
  other.exec("BEGIN IMMEDIATE");
  const settled = step(storage, now + 10, rest);
  const begun = begin(storage);
  other.exec("COMMIT");
  expect((await settled).settled).toEqual(rest.map(() => "applied"));
  expect(await begun).toMatchObject({ phase: "leaving", active: 0, still: false });
  expect((await begin(storage)).still).toBe(true);
  expect(await written(path)).toBe(5);
});

test("what another process has gathered too late is written behind the move, or when that is taken back", async () => {
  const { path, storage, now, rest } = await fiveRuns();
  const mover = await openStorage({ path });
  await step(storage, now + 10, rest);
  const { departure = "", still } = await begin(mover);
  expect(still).toBe(true);
  await step(storage, now + 2_000, [], true);
  expect(await written(path)).toBe(1);
  await mover.export({ queue: QUEUE, kind: "finish", departure, destination: "elsewhere" });
  await mover.export({ queue: QUEUE, kind: "cancel", destination: "elsewhere" });
  await step(storage, now + 2_000, [], true);
  expect(await written(path)).toBe(5);
});
