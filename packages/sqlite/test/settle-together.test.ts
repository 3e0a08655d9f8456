import { join } from "node:path";
import type { ClaimedJob, SettleAnswer, Settlement, StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const COUNT = 80;

async function started(): Promise<{ storage: StorageContract; runs: readonly ClaimedJob[] }> {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: COUNT }, () => flow()) });
  const runs = await claim(storage, 1, COUNT);
  expect(runs).toHaveLength(COUNT);
  return { storage, runs };
}

function completed({ id, fence }: { id: string; fence: number }, index: number): Settlement {
  const result = index % 3 === 0 ? undefined : new Uint8Array([index]);
  return { id, fence, startedAt: 1_000 + index, outcome: { kind: "completed", result }, add: undefined };
}

async function settle(storage: StorageContract, request: number, settled: readonly Settlement[]) {
  const step = { queue: QUEUE, owner: "owner", request, tasks: ["work"], begun: [], claim: undefined };
  return (await storage.step({ ...step, settled })).settled;
}

function times(count: number, answer: SettleAnswer): readonly SettleAnswer[] {
  return Array.from({ length: count }, () => answer);
}

test("many completed runs of one claim are settled each with its own result, and once", async () => {
  const { storage, runs } = await started();
  const settlements = runs.map(completed);
  expect(await settle(storage, 2, settlements)).toEqual(times(COUNT, "applied"));
  const records = await storage.read({ queue: QUEUE, ids: runs.map(({ id }) => id), whole: true });
  for (const [index, record] of records.entries()) {
    expect(record).toMatchObject({ state: "completed", startedAt: 1_000 + index });
    const bytes = record?.kind === "job" ? record.bytes : undefined;
    expect(bytes === undefined ? undefined : [...bytes]).toEqual(index % 3 === 0 ? undefined : [index]);
  }
  expect(await storage.counts({ queue: QUEUE })).toMatchObject({ "*": { completed: COUNT } });
  expect(await settle(storage, 3, settlements)).toEqual(times(COUNT, "repeated"));
  expect(await storage.counts({ queue: QUEUE })).toMatchObject({ "*": { completed: COUNT } });
});

test("one of many that is lost, was settled before, or is there twice is answered so, and the others are settled", async () => {
  const { storage, runs } = await started();
  const settlements = runs.map(completed);
  expect(await settle(storage, 2, settlements.slice(40, 41))).toEqual(["applied"]);
  const [first, other] = [settlements[0] as Settlement, settlements[3] as Settlement];
  // The same key, but not the same random digits.
  const twisted = other.id.slice(0, 14) + first.id.slice(14);
  const given = settlements.with(3, { ...other, id: twisted }).with(60, settlements[59] as Settlement);
  const answers = await settle(storage, 3, given);
  const expected = times(COUNT, "applied").with(3, "lost").with(40, "repeated").with(60, "repeated");
  expect(answers).toEqual(expected);
  expect(await storage.counts({ queue: QUEUE })).toMatchObject({ "*": { completed: COUNT - 2, active: 2 } });
});

test("what was enqueued behind one of many while it ran follows it", async () => {
  const { storage, runs } = await started();
  const source = (runs[30] as ClaimedJob).id;
  const follower = flow({ after: [{ source, on: "completed" }] });
  await storage.enqueue({ queue: QUEUE, flows: [follower] });
  expect(await settle(storage, 2, runs.map(completed))).toEqual(times(COUNT, "applied"));
  expect(await storage.read({ queue: QUEUE, ids: [follower.end] })).toMatchObject([{ state: "ready" }]);
});
