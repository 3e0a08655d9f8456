import { deadJoin, GROUP_FAILED } from "./dead.js";
import { finish } from "./final.js";
import { enterLine } from "./line.js";
import type { Move } from "./move.js";
import { FOLLOWER, READY, SKIPPED, UNIQUE, type Row } from "./row.js";
import { takeOrPark } from "./unique.js";

/** Ends a row that counts as skipped because its join failed; answers whether it does. */
export function skipIfDead(move: Move, row: Row): boolean {
  const join = deadJoin(move.scope.connection, row);
  if (join === undefined) return false;
  finish(move, row, SKIPPED, { reason: GROUP_FAILED, cause: join.cause });
  move.effect(row, "skipped", row);
  return true;
}

/** What a row waited for has come: it takes its unique key or waits for it, and then waits for its turn. */
export function release(move: Move, row: Row): void {
  if (skipIfDead(move, row)) return;
  if ((row.flags & FOLLOWER) !== 0) row.due = Math.max(row.due, move.now);
  if ((row.flags & UNIQUE) !== 0 && !takeOrPark(move, row)) return;
  enterLine(move, row);
  if (row.state === READY) move.effect(row, "readied");
}
