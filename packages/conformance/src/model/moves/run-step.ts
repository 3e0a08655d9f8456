/** One step on both sides. */
import assert from "node:assert/strict";
import type { StepAnswer, StepRequest } from "@taskq/core/storage";
import type { Covered } from "../coverage.js";
import { normalClaim, normalEffects } from "../normal.js";
import type { Build, Pair, Side, World } from "../world.js";
import { lateAnswer } from "./late.js";
import { UNKNOWN_FENCE } from "./settling.js";

/** Makes a step on both sides, compares the answers and takes note of them. */
export async function runStep(
  world: World,
  owner: string,
  build: Build<StepRequest>,
  again: boolean,
): Promise<StepAnswer | undefined> {
  const result = await world.both("step", (storage, side) => storage.step(build(side)));
  if (result.code !== undefined) return undefined;
  const { reference } = result.answers;
  const late = again ? undefined : await lateAnswer(world, build("tested"), result.answers);
  const tested = inOrderOf(reference, late ?? result.answers.tested, again);
  const request = build("reference");
  // A storage that writes nothing when it hands out nothing does not know such a claim again.
  const isKnown = late === undefined && (request.claim === undefined || reference.claimed.length > 0);
  if (isKnown) world.lastSteps.set(owner, build);
  else if (!again) world.lastSteps.delete(owner);
  assert.deepEqual(
    tested.claimed.map(({ id }) => id),
    reference.claimed.map(({ id }) => id),
    "claims other jobs, or in another order",
  );
  if (again) checkRepeated(world, { reference, tested });
  else world.claimed(owner, { reference: reference.claimed, tested: tested.claimed });
  assert.deepEqual(
    normalAnswer(world, "tested", tested, again),
    normalAnswer(world, "reference", reference, again),
    "the step answers otherwise",
  );
  const whole = request.claim !== undefined && request.claim.ids === undefined;
  if (whole && !tested.more) world.sleeping = { until: tested.nextDue };
  noteSettled(world, request, reference);
  coverClaim(world, request, reference, again);
  return reference;
}

/**
 * What a gate lets go in the middle of a claim, since one that was met gave up its place, stands where it was met or in
 * its turn: that is left to a storage. All else is in its order. A repeat does not tell what was let go.
 */
function inOrderOf(reference: StepAnswer, tested: StepAnswer, again: boolean): StepAnswer {
  const readied = again
    ? reference.claimed
    : reference.effects.filter(({ kind, gate }) => kind === "readied" && gate !== undefined);
  const late = new Set(readied.map(({ id }) => id));
  const rest = tested.claimed.filter(({ id }) => !late.has(id));
  const claimed = reference.claimed.map(({ id }) =>
    late.has(id) ? tested.claimed.find((job) => job.id === id) : rest.shift(),
  );
  const known = claimed.filter((job) => job !== undefined);
  return known.length === tested.claimed.length ? { ...tested, claimed: known } : tested;
}

function normalAnswer(world: World, side: Side, answer: StepAnswer, again: boolean): unknown {
  const nameRun = world.nameRun[side];
  return {
    settled: answer.settled,
    claimed: answer.claimed.map((job) => ({
      ...(normalClaim(job, nameRun) as object),
      ...(again ? { leaseUntil: undefined } : {}),
    })),
    revoked: answer.revoked.map(({ id, fence }) => nameRun(id, fence)).toSorted(),
    effects: normalEffects(answer.effects),
  };
}

/** What a repeated step hands out, it has handed out before. */
function checkRepeated(world: World, { reference, tested }: Pair<StepAnswer>): void {
  for (const [at, job] of reference.claimed.entries()) {
    const names = [
      world.nameRun.reference(job.id, job.fence),
      world.nameRun.tested(job.id, tested.claimed[at]?.fence ?? 0),
    ];
    assert.match(names[0] ?? "", /^run \d+$/, "a repeated step claims anew: reference");
    assert.equal(names[1], names[0], "a repeated step answers another run");
  }
  world.cover("claim: repeated", reference.claimed.length);
}

function noteSettled(world: World, request: StepRequest, answer: StepAnswer): void {
  for (const [at, { id, fence, outcome, add }] of request.settled.entries()) {
    const said = answer.settled[at];
    for (const run of world.held) if (run.id === id && run.fence.reference === fence) world.held.delete(run);
    if (said === "repeated") world.cover("settle: repeated");
    if (said === "lost") world.cover(fence === UNKNOWN_FENCE ? "settle: unknown id" : "settle: lost");
    if (said !== "applied") continue;
    world.cover(`settle: ${outcome.kind} applied` as Covered);
    if (add !== undefined) world.cover("settle: flows added");
    if (outcome.kind === "completed" && outcome.result === undefined) {
      world.cover("settle: completed without result");
    }
  }
}

function coverClaim(world: World, request: StepRequest, answer: StepAnswer, again: boolean): void {
  if (answer.revoked.length > 0) world.cover("step: revoked");
  if (request.claim === undefined || again) return;
  if (answer.claimed.length === 0) world.cover("claim: nothing");
  if (request.claim.ids !== undefined) world.cover("claim: only some ids", answer.claimed.length);
  for (const job of answer.claimed) {
    world.cover(job.begun ? "claim: begun" : "claim: ahead");
    if (job.verdict !== undefined) world.cover("claim: verdict");
    if (job.sources !== undefined) world.cover("claim: with sources");
    if (job.attempt > 1) world.cover("claim: again");
  }
}
