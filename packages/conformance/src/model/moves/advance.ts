import assert from "node:assert/strict";
import fc from "fast-check";
import { KEPT, QUEUE, type World } from "../world.js";
import { Move } from "./move.js";

/** A day and a little, after which the names that callers gave are forgotten. */
const A_DAY = 90_000_000;

/** Lets time pass. */
export const passTime: fc.Arbitrary<Move> = fc
  .constantFrom(1, 500, 1_000, 2_000, 5_000, 5_000, 12_000, KEPT + 1, A_DAY)
  .map(
    (milliseconds) =>
      new Move("time passes", async (world) => {
        world.said = `${milliseconds} ms`;
        await advance(world, milliseconds);
      }),
  );

/**
 * Moves virtual time. Whatever may be purged at the new time is purged on both sides at once, since the moment at
 * which a storage does so by itself is left to it.
 */
export async function advance(world: World, milliseconds: number): Promise<void> {
  world.now += milliseconds;
  await purge(world, false);
}

/** Removes everything of the queue. */
export const flush: fc.Arbitrary<Move> = fc.constant(undefined).map(
  () =>
    new Move("flush", async (world) => {
      world.said = "everything";
      await purge(world, true);
      world.held.clear();
      world.lastSteps.clear();
      world.flushes += 1;
      world.cover("purge: everything");
    }),
);

async function purge(world: World, everything: boolean): Promise<void> {
  for (const side of ["reference", "tested"] as const) {
    for (let calls = 0; ; calls += 1) {
      assert.ok(calls < 100, `purging does not end: ${side}`);
      const { removed, more } = await world.storages[side].purge({
        queue: QUEUE,
        limit: 20,
        everything,
        now: world.now,
      });
      if (side === "tested") world.cover("purge: removed", removed);
      if (!more) break;
    }
  }
}
