import assert from "node:assert/strict";
import { STATS_MINUTE, type NewGate, type StatsRow, type TakeAnswer } from "@taskq/core/storage";
import type { Context } from "../context.js";
import { cancel, comeIn, exportAll, fill, finish, move, open, put, type Exported } from "../moving.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const PER = 60_000;
const LIMIT: NewGate = { kind: "limit", key: "api", max: 3, per: PER, onBusy: "wait" };

/** One start outside of jobs, if there is room. */
function take(context: Context, operation: string, per: number = PER): Promise<TakeAnswer> {
  const { storage, queue, now } = context;
  return storage.take({ queue, operation, key: LIMIT.key, max: LIMIT.max, per, now });
}

/** Another queue of the same name, which had its own life, is what this one becomes: its jobs are gone, no more. */
async function becomeAnother(context: Context): Promise<void> {
  await cancel(context);
  await context.storage.purge({
    queue: context.queue,
    now: context.now,
    limit: 1_000,
    everything: true,
  });
}

/** Fills the queue, every page twice, and opens it. */
async function arrive(context: Context, exported: Exported): Promise<void> {
  const { departure, records } = exported;
  await comeIn(context, departure);
  await put(context, departure, records);
  const { arrival, counts } = await fill(context, exported);
  assert.deepEqual(counts, exported.counts, "the counts differ");
  await open(context, departure, arrival);
}

async function usedUp(context: Context): Promise<void> {
  const [first, second, third] = context.jobs(3, { gates: [LIMIT] });
  await context.enqueue(first, second);
  await context.runToEnd(first.id);
  context.advance(1_000);
  assert.equal((await take(context, "one")).taken, true);
  context.advance(1_000);
  await context.runToEnd(second.id);
  await context.enqueue(third);
  const began = context.now - 2_000;
  // Taken back on the way, it starts no more here either.
  const before = await exportAll(context);
  await cancel(context);
  assert.deepEqual(await context.claim(), []);
  await move(context);
  const { claimed, nextDue } = await context.claimStep();
  assert.deepEqual([claimed, nextDue], [[], began + PER]);
  assert.deepEqual(await take(context, "two"), { taken: false, opensAt: began + PER });
  // Half the window over, the queue moves once more, and is given up once before.
  context.now = began + PER / 2;
  const again = await exportAll(context);
  await finish(context, again.departure);
  await fill(context, { ...before, departure: "given up" });
  await fill(context, again).then(({ arrival }) => open(context, again.departure, arrival));
  assert.deepEqual(await context.claim(), []);
  assert.equal((await take(context, "three", PER / 2)).taken, true, "a shorter window has passed");
  context.now = began + PER;
  assert.deepEqual(await context.claim(), [], "three have started within the window");
  context.now = began + PER + 1_000;
  assert.equal((await context.claimOne()).id, third.id);
  assert.deepEqual(await context.claim(), []);
}

/** What the target has started by itself counts as well. */
async function usedUpAtBoth(context: Context): Promise<void> {
  const job = context.job({ gates: [LIMIT] });
  await context.enqueue(job, context.job({ gates: [LIMIT] }));
  await context.runToEnd(job.id);
  const exported = await exportAll(context);
  await becomeAnother(context);
  context.advance(10);
  assert.equal((await take(context, "own")).taken, true);
  assert.equal((await take(context, "own too")).taken, true);
  await arrive(context, exported);
  assert.deepEqual(await context.claim(), []);
  context.advance(PER - 10);
  assert.equal((await context.claim()).length, 1);
}

async function rowsOf({ storage, queue, now }: Context): Promise<readonly StatsRow[]> {
  return (await storage.stats({ queue, since: 0, now })).rows;
}

/** A few runs, over two minutes. */
async function runSome(context: Context): Promise<void> {
  const jobs = [...context.jobs(4), context.job({ task: "mail" })];
  await context.enqueue(...jobs);
  for (const [index, { id }] of jobs.entries()) {
    const run = await context.claimOne(id);
    context.advance(700 + 13 * index);
    const startedAt = context.now - 5 * index;
    if (index === 1) await context.fail(run);
    else await context.complete(run, undefined, { startedAt });
    if (index === 2) context.advance(STATS_MINUTE);
  }
  // Whatever was gathered is written with the first step that a second has passed by.
  context.advance(1_000);
  await context.step();
}

async function statsMove(context: Context): Promise<void> {
  const oldest = context.job();
  await runSome(context);
  await context.enqueue(oldest);
  const before = await rowsOf(context);
  assert.equal(before.length, 3);
  await move(context);
  assert.deepEqual(await rowsOf(context), before);
  await context.runToEnd(oldest.id);
  const exported = await exportAll(context);
  const moved = await rowsOf(context);
  assert.equal(at(moved, 2).completed, at(before, 2).completed + 1);
  await becomeAnother(context);
  assert.deepEqual(await rowsOf(context), moved, "the statistics outlive a flush");
  // Given up half-way, nothing of it counts.
  await comeIn(context, exported.departure);
  await put(context, exported.departure, exported.records);
  const { queue, now } = context;
  await context.storage.import({ queue, now, kind: "cancel", departure: exported.departure });
  assert.deepEqual(await rowsOf(context), moved);
  await arrive(context, exported);
  const sum = await rowsOf(context);
  assert.deepEqual(sum.map(numbersOf), moved.map(numbersOf).map(doubled));
}

function numbersOf({ task, minute, completed, failed, retried, wait, run }: StatsRow): readonly unknown[] {
  const runs = run.counts.filter((_, index) => index % 2 === 1);
  return [task, minute, wait.max, run.max, completed, failed, retried, ...runs];
}

function doubled([task, minute, wait, run, ...counts]: readonly unknown[]): readonly unknown[] {
  return [task, minute, wait, run, ...counts.map((count) => 2 * Number(count))];
}

export const movedHistory: Subject = subject("what a queue has done, after a move", [
  promise(
    "a limit that was used up before a move starts no more behind it until its window has passed",
    async (context) => {
      await usedUp(context);
      await context.open("both");
      await usedUpAtBoth(context);
    },
  ),
  promise("statistics move along, and add up with those of the target", statsMove),
]);
