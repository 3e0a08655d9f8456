import type { TakeAnswer, TakeRequest } from "@taskq/core/storage";
import { complete } from "./consequences.js";
import type { Move } from "./move.js";
import { isStill, refuseStill } from "./moving.js";
import { addStart, countStarts, limitOf, roomAt, type Looking } from "./starts.js";

/** How long a start that was taken is known by its operation. */
const REMEMBERED = 600_000;

/** The answer that needs no writing; `undefined`: there seems to be room, or the queue moves. */
export function takeRead(looking: Looking, request: TakeRequest): TakeAnswer | undefined {
  if (isTaken(looking, request.operation)) return TAKEN;
  return isStill(looking) ? undefined : refusal(looking, request);
}

/**
 * Takes a start if the window has room. It stands in no line, and passes places that are kept for jobs: whoever waits
 * for it may be what keeps those jobs from running.
 */
export function take(move: Move, request: TakeRequest): TakeAnswer {
  if (isTaken(move, request.operation)) return TAKEN;
  refuseStill(move);
  const refused = refusal(move, request);
  if (refused !== undefined) return refused;
  const limit = limitOf(request);
  addStart(move, limit, { holder: `t:${request.operation}`, fence: 0 });
  move
    .sql("INSERT OR REPLACE INTO {operations} (queue, name, time, answer) VALUES (?, ?, ?, 'true')")
    .run(move.queue.id, nameOf(request.operation), move.now);
  move.opened.add(limit.gate);
  complete(move);
  return TAKEN;
}

function refusal(looking: Looking, request: TakeRequest): TakeAnswer | undefined {
  const limit = limitOf(request);
  if (countStarts(looking, limit) < limit.max) return undefined;
  return { taken: false, opensAt: roomAt(looking, limit, 0) };
}

const TAKEN: TakeAnswer = { taken: true, opensAt: undefined };

/** Operations on values have their names in the same table. */
function nameOf(operation: string): string {
  return `take:${operation}`;
}

function isTaken(looking: Looking, operation: string): boolean {
  const { queue, now } = looking;
  const row = looking
    .raw("SELECT 1 FROM {operations} WHERE queue = ? AND name = ? AND time > ?")
    .get(queue.id, nameOf(operation), now - REMEMBERED);
  return row !== undefined;
}
