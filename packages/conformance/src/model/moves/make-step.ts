/** A step in one request, or in several where storages may differ about what one request does. */
import type { StepAnswer, StepRequest } from "@taskq/core/storage";
import { observe } from "../observe.js";
import type { Build, World } from "../world.js";
import { hinderedClaim, type Part } from "./hindered.js";
import { runStep } from "./run-step.js";
import { doomed, sweep } from "./sweep.js";

/** A step before it has its number. */
export type Unnumbered = Omit<StepRequest, "request">;

/**
 * Makes a step. What a claim itself makes ready, by ending a job that is expired or by starting one that holds a
 * unique key, may be handed out by that claim or by the next. Where there is such a job it settles first, ends what is
 * to end, and then claims job by job.
 */
export async function makeStep(world: World, build: Build<Unnumbered>): Promise<void> {
  const { claim } = build("reference");
  if (claim === undefined) return void (await send(world, build));
  const ending = (await doomed(world)).length > 0;
  const waiting = isKeyAwaited(world);
  const hindered = await hinderedClaim(world, claim, build("reference").tasks);
  if (!ending && !waiting && hindered === undefined) return void (await send(world, build));
  await send(world, (side) => ({ ...build(side), claim: undefined }));
  await observe(world);
  await sweep(world);
  const parts = await partsOf(world, build, claim);
  for (const part of parts) {
    await send(world, (side) => ({
      ...build(side),
      settled: [],
      begun: [],
      claim: { ...part, lease: claim.lease },
    }));
  }
}

/** The claims that a claim is made of, so that all storages hand out the same. */
async function partsOf(world: World, build: Build<Unnumbered>, claim: Part): Promise<readonly Part[]> {
  const hindered = await hinderedClaim(world, claim, build("reference").tasks);
  if (!isKeyAwaited(world)) return [hindered?.all ?? claim];
  return hindered?.each ?? singles(claim);
}

function singles({ begin, ahead, ids }: Part): readonly Part[] {
  return Array.from({ length: begin + ahead }, (_, at) =>
    at < begin ? { begin: 1, ahead: 0, ids } : { begin: 0, ahead: 1, ids },
  );
}

async function send(world: World, build: Build<Unnumbered>): Promise<StepAnswer | undefined> {
  const { owner } = build("reference");
  const request = world.nextRequest(owner);
  return runStep(world, owner, (side) => ({ ...build(side), request }), false);
}

/** Whether a job may have to wait for a unique key that another one holds until it starts. */
function isKeyAwaited(world: World): boolean {
  return [...world.uniques].some((id) => {
    const state = world.known.get(id)?.state;
    return state === "blocked" || state === "parked";
  });
}
