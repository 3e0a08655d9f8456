import assert from "node:assert/strict";
import type { Context } from "./context.js";

/** Puts rows in the way. */
export type Obstruct = () => Promise<void>;

const CLAIMS = 100;
/** What else the machine does only adds to a time: the least of so many is that of the claims. */
const TURNS = 5;

/** Claims of others with and without what stands in the way: a wide bound, so that only another order of growth breaks it. */
export async function othersAreClaimedAsFast(context: Context, obstruct: Obstruct): Promise<void> {
  await claims(context);
  const without = await leastOf(context);
  await obstruct();
  const withThem = await leastOf(context);
  assert.ok(
    withThem < 3 * without + 30,
    `${CLAIMS} claims took ${Math.round(without)} ms without and ${Math.round(withThem)} ms with parked jobs`,
  );
}

async function leastOf(context: Context): Promise<number> {
  let least = Infinity;
  for (let turn = 0; turn < TURNS; turn += 1) least = Math.min(least, await claims(context));
  return least;
}

/** Milliseconds. */
async function claims(context: Context): Promise<number> {
  const others = context.jobs(CLAIMS);
  await context.enqueue(...others);
  const started = performance.now();
  for (const other of others) {
    const run = await context.claimOne();
    assert.equal(run.id, other.id);
  }
  return performance.now() - started;
}

/** Lets claims meet these jobs until all of them are parked. */
export async function parkAll(context: Context, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 64) {
    const { claimed, more } = await context.claimStep({ n: 1 });
    assert.deepEqual(claimed, []);
    if (!more) break;
  }
  const counts = await context.storage.counts({ queue: context.queue, now: context.now });
  assert.equal(counts["*"]?.parked, count);
}
