import type { TakeAnswer, TakeRequest } from "@taskq/core/storage";
import { complete } from "./consequences.js";
import type { Move } from "./move.js";
import { addStart, countStarts, LIMIT, roomAt, type Limit } from "./starts.js";

/** How long a start that was taken is known by its operation. */
const REMEMBERED = 600_000;

/**
 * Takes a start if the window has room. It stands in no line, and passes places that are kept for jobs: whoever waits
 * for it may be what keeps those jobs from running.
 */
export function take(move: Move, request: TakeRequest): TakeAnswer {
  const limit: Limit = { gate: LIMIT + request.key, max: request.max, per: request.per };
  if (isTaken(move, request.operation)) return TAKEN;
  if (countStarts(move, limit) >= limit.max) return { taken: false, opensAt: roomAt(move, limit, 0) };
  addStart(move, limit, { holder: `t:${request.operation}`, fence: 0 });
  move
    .sql("INSERT OR REPLACE INTO {operations} (queue, name, time, answer) VALUES (?, ?, ?, 'true')")
    .run(move.queue.id, nameOf(request.operation), move.now);
  move.opened.add(limit.gate);
  complete(move);
  return TAKEN;
}

const TAKEN: TakeAnswer = { taken: true, opensAt: undefined };

/** Operations on values have their names in the same table. */
function nameOf(operation: string): string {
  return `take:${operation}`;
}

function isTaken(move: Move, operation: string): boolean {
  const row = move
    .raw("SELECT 1 FROM {operations} WHERE queue = ? AND name = ? AND time > ?")
    .get(move.queue.id, nameOf(operation), move.now - REMEMBERED);
  return row !== undefined;
}
