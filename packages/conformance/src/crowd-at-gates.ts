/** Many jobs at few gates, most of them at two. */
import assert from "node:assert/strict";
import type { ClaimedJob, NewGate } from "@taskq/core/storage";
import type { Context } from "./context.js";
import { randomSource } from "./faults/random-source.js";

const JOBS = 260;
const URGENT = 90;
/** One in which each of many keeps a place that another one needs. */
const SEED = 1;

const lock = (key: string): NewGate => ({ kind: "lock", key, max: 1, per: undefined, onBusy: "wait" });
const PAIR: NewGate = { kind: "concurrency", key: "pair", max: 2, per: undefined, onBusy: "wait" };

/** Whatever the order in which they come, start and end: all of them run. */
export async function crowdGoesOn(context: Context): Promise<void> {
  const source = randomSource(SEED);
  const random = (end: number): number => Math.floor(source() * end);
  const held: ClaimedJob[] = [];
  let left = JOBS;
  const end = async (run: ClaimedJob): Promise<void> => {
    await context.complete(run);
    left -= 1;
  };
  for (let count = 0; count < JOBS; count += 1) {
    const door = lock(`door ${random(2)}`);
    const priority = random(JOBS) < URGENT ? 1 + random(2) : 0;
    const gates = priority > 0 ? [door, PAIR] : [[door], [PAIR], [door, PAIR]][random(3)];
    await context.enqueue(context.job({ gates, priority }));
    if (random(2) === 1) held.push(...(await context.claim({ n: 2 })));
    if (random(3) > 0) continue;
    for (const run of held.splice(random(held.length + 1), 1)) await end(run);
  }
  for (const run of held) await end(run);
  for (let runs = await context.claim({ n: 3 }); runs.length > 0; runs = await context.claim({ n: 3 })) {
    for (const run of runs) await end(run);
  }
  assert.equal(left, 0, `${left} jobs of a crowd wait for gates that nobody holds`);
}
