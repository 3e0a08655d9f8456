/** The end of a sequence: everything runs to its end on both sides, so that nothing that was lost stays unnoticed. */
import assert from "node:assert/strict";
import { isFinal } from "@taskq/core/storage";
import { advance } from "./moves/advance.js";
import { makeStep } from "./moves/make-step.js";
import { observe } from "./observe.js";
import { settleRandom } from "./random-due.js";
import { LEASE, QUEUE, TASKS, type World } from "./world.js";

const OWNER = "drain";
/** More rounds than any flow has stages. */
const ROUNDS = 60;

/** Completes job after job until none is left; fails when there are some that nobody is handed. */
export async function drain(world: World): Promise<void> {
  await open(world);
  for (let round = 0; round < ROUNDS; round += 1) {
    await stepOn(world);
    await settleRandom(world);
    await observe(world);
    if (unfinished(world).length === 0) return;
    await advance(world, 5_000);
  }
  assert.deepEqual(unfinished(world), [], "jobs that nobody is handed");
}

/** Nothing paused or revoked, no locks held but by jobs. */
async function open(world: World): Promise<void> {
  for (const task of [undefined, ...TASKS]) {
    const kinds = task === undefined ? (["resume"] as const) : (["resume", "restore"] as const);
    for (const kind of kinds) {
      await world.both("control", (storage) =>
        storage.control({ queue: QUEUE, task, change: { kind }, now: world.now }),
      );
    }
  }
  await observe(world);
}

async function stepOn(world: World): Promise<void> {
  const ending = [...world.held];
  const { now } = world;
  await makeStep(world, (side) => ({
    queue: QUEUE,
    owner: OWNER,
    tasks: TASKS,
    settled: ending.map((run) => ({
      id: run.id,
      fence: run.fence[side],
      startedAt: now,
      outcome: { kind: "completed", result: undefined },
      add: undefined,
    })),
    begun: ending.filter((run) => !run.begun).map((run) => ({ id: run.id, fence: run.fence[side] })),
    claim: { begin: 20, ahead: 0, lease: LEASE },
    now,
  }));
}

function unfinished(world: World): readonly string[] {
  return [...world.known.values()]
    .filter(({ state }) => !isFinal(state))
    .map((record) => `${record.id} ${record.state}`);
}
