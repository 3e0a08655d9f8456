/** Flows that a run adds: stored with its settlement, but for those that belong to the home partition. */
import type { JobEffect, NewFlow, Settlement, StepRequest } from "@taskq/core/storage";
import { flowRequest } from "../wire/requests.js";
import type { DividedQueue } from "./divided-queue.js";
import { isCode } from "./is-code.js";
import { HOME, isPlain } from "./place.js";
import { adopt } from "./scripts.js";

export interface AddedTold {
  /** The settlements with what is stored together with them. */
  readonly settled: readonly Settlement[];
  readonly effects: readonly JobEffect[];
  /** The places of those that add what has been given the id of another task's job. */
  readonly refused: readonly number[];
}

/**
 * A run outside of the home partition may add flows, gates or unique keys: those are stored right before it is settled, if it is still
 * its owner's. Under the same ids they are stored once, however often this is repeated.
 */
export async function storeAdded(queue: DividedQueue, request: StepRequest): Promise<AddedTold> {
  const settled: Settlement[] = [];
  const effects: JobEffect[] = [];
  const refused: number[] = [];
  for (const [place, settlement] of request.settled.entries()) {
    const { add = [], outcome } = settlement;
    const elsewhere = add.filter((flow) => !isPlain(flow));
    if (elsewhere.length === 0 || outcome.kind !== "completed") {
      settled.push(settlement);
      continue;
    }
    const { partition, owned } = await runOf(queue, request, settlement);
    if (partition === HOME) settled.push(settlement);
    else {
      const own = owned ? await adopted(queue, request, elsewhere) : [];
      if (own === undefined) refused.push(place);
      else effects.push(...own);
      settled.push({ ...settlement, add: add.filter(isPlain) });
    }
  }
  return { settled, effects, refused };
}

async function runOf(
  queue: DividedQueue,
  { now }: StepRequest,
  { id, fence }: Settlement,
): Promise<{ readonly partition: number; readonly owned: boolean }> {
  const [found] = await queue.find([id], { now });
  if (found?.record.kind !== "job") return { partition: HOME, owned: false };
  const { state, fence: own } = found.record;
  return { partition: found.partition, owned: state === "active" && own === fence };
}

/** `undefined`: an id is another task's. */
async function adopted(
  queue: DividedQueue,
  { now }: StepRequest,
  flows: readonly NewFlow[],
): Promise<readonly JobEffect[] | undefined> {
  const asked = { queue: queue.name, now };
  try {
    const { effects } = await queue.queue(HOME).ask(adopt, asked, { flows: flows.map(flowRequest) });
    return effects;
  } catch (error) {
    if (isCode(error, "TASKQ_ID_TAKEN")) return undefined;
    throw error;
  }
}
