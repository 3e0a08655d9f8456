/** Starts outside of jobs, under the limits of the jobs. */
import type { TakeAnswer, TakeRequest } from "@taskq/core/storage";
import { planOpening } from "./gates.js";
import { addStart, countStarts, instantOfRoom } from "./limits.js";
import { refuseStill } from "./phase.js";
import type { Move } from "./queue-state.js";

/** How long a start that was taken is known by its operation. */
const REMEMBERED = 10 * 60 * 1000;

/**
 * Takes a start if the window has room. It stands in no line, and passes places that are kept for jobs: whoever waits
 * for it may be what keeps those jobs from running.
 */
export function take(move: Move, { operation, key, max, per }: TakeRequest): TakeAnswer {
  const { queue, now } = move;
  const limit = { key, max, per };
  if (queue.taken.get(operation, now) !== undefined) return TAKEN;
  refuseStill(queue);
  if (countStarts(move, limit) >= max) return { taken: false, opensAt: instantOfRoom(move, limit, 0) };
  addStart(move, limit, { time: now, holder: operation, fence: 0 });
  queue.taken.set(operation, true, now + REMEMBERED, now);
  const gate = queue.gates.get(`limit:${key}`);
  if (gate !== undefined) planOpening(move, gate);
  return TAKEN;
}

const TAKEN: TakeAnswer = { taken: true, opensAt: undefined };
