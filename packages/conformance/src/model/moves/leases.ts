import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReapAnswer, RunReference, StoredState } from "@taskq/core/storage";
import { index } from "../arbitraries.js";
import { normalEffects } from "../normal.js";
import { KNOWN_TASKS, LEASE, OWNERS, QUEUE, type Side, type World } from "../world.js";
import { isWaiting, settleRandom } from "../random-due.js";
import { advance } from "./advance.js";
import { Move } from "./move.js";
import { runStep } from "./run-step.js";
import { anOwner } from "./step.js";

/** An owner renews what it believes to hold, and now and then what it does not. */
export const renew: fc.Arbitrary<Move> = fc
  .record({ owner: anOwner, others: fc.array(index, { maxLength: 1 }) })
  .map(({ owner, others }) => new Move("renew", async (world) => playRenew(world, owner, others)));

async function playRenew(world: World, at: number, others: readonly number[]): Promise<void> {
  const owner = OWNERS[at] ?? OWNERS[0];
  const foreign = others.map((pick) => world.pick(world.runs, pick)).filter((run) => run !== undefined);
  const runs = [...new Set([...world.heldBy(owner), ...foreign])];
  world.said = `${owner}: ${runs.map(({ id, fence }) => `${id}@${fence.reference}`).join(", ")}`;
  const result = await world.both("renew", (storage, side) =>
    storage.renew({
      queue: QUEUE,
      owner,
      lease: LEASE,
      runs: runs.map(({ id, fence }) => ({ id, fence: fence[side] })),
      now: world.now,
    }),
  );
  if (result.code !== undefined) return;
  const { reference, tested } = result.answers;
  assert.equal(tested.leaseUntil, reference.leaseUntil);
  assert.deepEqual(
    names(world, "tested", tested.lost),
    names(world, "reference", reference.lost),
    "lost runs",
  );
  assert.deepEqual(
    names(world, "tested", tested.revoked),
    names(world, "reference", reference.revoked),
    "revoked runs",
  );
  world.cover("renew: lost", reference.lost.length);
  world.cover("renew: revoked", reference.revoked.length);
  world.cover("renew: kept", runs.length - reference.lost.length);
  const lost = new Set(names(world, "reference", reference.lost));
  for (const run of runs) if (lost.has(`run ${run.number}`) && run.owner === owner) world.held.delete(run);
}

function names(world: World, side: Side, runs: readonly RunReference[]): readonly string[] {
  return runs.map(({ id, fence }) => world.nameRun[side](id, fence)).toSorted();
}

/** One pass over the leases, or time for all of them to run out and two passes. */
export const reap: fc.Arbitrary<Move> = fc.boolean().map(
  (all) =>
    new Move(all ? "reap all" : "reap", async (world) => {
      world.said = all ? "every lease runs out" : "one pass";
      if (all) await loseLeases(world);
      else await pass(world);
    }),
);

/** A job whose every run dies, until it is out of crashes. */
export const crashLoop: fc.Arbitrary<Move> = index.map(
  (pick) =>
    new Move("crash again and again", async (world) => {
      const waiting = world.there().filter((id) => world.known.get(id)?.state === "ready");
      const id = world.pick(waiting, pick);
      if (id === undefined) return;
      world.said = id;
      for (let crashes = 0; crashes < 4; crashes += 1) {
        const owner = OWNERS[crashes % OWNERS.length] ?? OWNERS[0];
        const { request, now } = { request: world.nextRequest(owner), now: world.now };
        const answer = await runStep(
          world,
          owner,
          () => ({
            queue: QUEUE,
            owner,
            request,
            tasks: KNOWN_TASKS[0] ?? [],
            settled: [],
            begun: [],
            claim: { begin: 1, ahead: 0, lease: LEASE, ids: [id] },
            now,
          }),
          false,
        );
        if (answer?.claimed.length !== 1) return;
        await loseLeases(world);
      }
    }),
);

async function loseLeases(world: World): Promise<void> {
  await advance(world, LEASE + 1);
  await pass(world);
  await advance(world, LEASE / 2);
  await pass(world);
}

async function pass(world: World): Promise<void> {
  const result = await world.both("reap", (storage) =>
    storage.reap({ queue: QUEUE, limit: 1_000, now: world.now }),
  );
  if (result.code !== undefined) return;
  const { reference, tested } = result.answers;
  assert.deepEqual(normal(world, "tested", tested), normal(world, "reference", reference), "reaps otherwise");
  for (const { id, fence, begun, state } of reference.reaped) {
    for (const run of world.held) if (run.id === id && run.fence.reference === fence) world.held.delete(run);
    world.cover(begun ? "reap: begun" : "reap: unbegun");
    if (state === "failed") world.cover("reap: failed");
  }
  await agreeOnDue(world, reference);
}

function normal(world: World, side: Side, answer: ReapAnswer): unknown {
  return {
    reaped: answer.reaped
      .map(({ id, fence, task, attempt, begun, state }) =>
        [id, world.nameRun[side](id, fence), task, attempt, begun, givenBack(state) ? "ready" : state].join(
          " ",
        ),
      )
      .toSorted(),
    effects: normalEffects(answer.effects),
  };
}

/** One whose group fails in the same pass is given up then, or by what follows the pass. */
function givenBack(state: StoredState): boolean {
  return state === "scheduled" || state === "skipped";
}

/**
 * The instant at which a reaped job is ready again is random: it is checked to be in its range, and then made the same
 * on both sides.
 */
async function agreeOnDue(world: World, { reaped }: ReapAnswer): Promise<void> {
  const ids = [...new Set(reaped.filter(({ begun }) => begun).map(({ id }) => id))];
  for (const side of ["reference", "tested"] as const) {
    const records = await world.storages[side].read({ queue: QUEUE, ids, now: world.now });
    for (const record of records) {
      if (record?.kind !== "job") continue;
      world.random.add(record.id);
      if (record.reason === "crashed") world.cover("reap: crashed");
      if (!isWaiting(record.state)) continue;
      const latest = world.now + record.crashes * LEASE;
      assert.ok(
        record.due >= world.now && record.due <= latest,
        `${record.id} is due at ${record.due}, not between ${world.now} and ${latest}: ${side}`,
      );
    }
  }
  await settleRandom(world);
}
