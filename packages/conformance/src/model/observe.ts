/** Compares all that can be read of the two storages. */
import assert from "node:assert/strict";
import type { StoredCounts, StoredRecord, StoredState } from "@taskq/core/storage";
import { normalRecord } from "./normal.js";
import { QUEUE, type Pair, type Side, type World } from "./world.js";

const SIDES: readonly Side[] = ["reference", "tested"];

/** Reads everything from both sides, compares it, and takes note of what is there. */
export async function observe(world: World): Promise<void> {
  const { now, ids } = world;
  const read = (side: Side): Promise<readonly (StoredRecord | undefined)[]> =>
    world.storages[side].read({ queue: QUEUE, ids, whole: true, now });
  const records: Pair<readonly (StoredRecord | undefined)[]> = {
    reference: await read("reference"),
    tested: await read("tested"),
  };
  for (const [index, id] of ids.entries()) {
    const [expected, actual] = SIDES.map((side) =>
      normalRecord(records[side][index], now, world.nameRun[side]),
    );
    assert.deepEqual(actual, expected, `the record of ${id} differs`);
  }
  for (const side of SIDES) await checkCounts(world, side, records[side]);
  world.known = new Map(
    records.reference.filter((record) => record !== undefined).map((record) => [record.id, record]),
  );
  await world.feed.read(world);
  checkSleep(world);
  coverStates(world, records.tested);
}

/** Whoever sleeps until the instant that a claim answered must not sleep past a job that is due before. */
function checkSleep(world: World): void {
  const { sleeping, now } = world;
  world.sleeping = undefined;
  if (sleeping === undefined) return;
  for (const record of world.known.values()) {
    if (record.kind !== "job" || record.state !== "scheduled" || record.due <= now) continue;
    assert.ok(
      sleeping.until !== undefined && sleeping.until <= record.due,
      `${record.id} is due at ${record.due}, and the next instant is said to be ${sleeping.until}`,
    );
  }
}

async function checkCounts(
  world: World,
  side: Side,
  records: readonly (StoredRecord | undefined)[],
): Promise<void> {
  const storage = world.storages[side];
  const jobs = records.filter((record) => record?.kind === "job");
  const all = (await storage.counts({ queue: QUEUE, now: world.now }))["*"];
  const byTask = await storage.counts({ queue: QUEUE, by: "task", now: world.now });
  const expected: Record<string, number> = {};
  for (const { task, state } of jobs) {
    expected[`* ${state}`] = (expected[`* ${state}`] ?? 0) + 1;
    expected[`${task} ${state}`] = (expected[`${task} ${state}`] ?? 0) + 1;
  }
  const counted = Object.entries({ ...byTask, "*": all }).flatMap(([task, counts]) => present(task, counts));
  assert.deepEqual(Object.fromEntries(counted), expected, `counts differ from the jobs there are: ${side}`);
}

function present(task: string, counts: StoredCounts | undefined): [string, number][] {
  return Object.entries(counts ?? {})
    .filter(([, count]) => count !== 0)
    .map(([state, count]) => [`${task} ${state}`, count]);
}

const JOB_STATES = new Set<StoredState>([
  "blocked",
  "parked",
  "completed",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "quarantined",
]);
const JOIN_STATES = new Set<StoredState>(["blocked", "completed", "failed", "skipped"]);

function coverStates(world: World, records: readonly (StoredRecord | undefined)[]): void {
  for (const record of records) {
    if (record === undefined) continue;
    const { kind, state } = record;
    if (kind === "job" && JOB_STATES.has(state)) world.cover(`state: ${state}` as "state: blocked");
    if (kind === "join" && JOIN_STATES.has(state)) world.cover(`join: ${state}` as "join: blocked");
  }
}
