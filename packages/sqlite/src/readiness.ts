import { enterLine } from "./line.js";
import type { Move } from "./move.js";
import { FOLLOWER, READY, UNIQUE, type Row } from "./row.js";
import { skipIfDead } from "./skip-dead.js";
import { takeOrPark } from "./unique.js";

/** What a row waited for has come: it takes its unique key or waits for it, and then waits for its turn. */
export function release(move: Move, row: Row): void {
  if (skipIfDead(move, row)) return;
  if ((row.flags & FOLLOWER) !== 0) row.due = Math.max(row.due, move.now);
  if ((row.flags & UNIQUE) !== 0 && !takeOrPark(move, row)) return;
  enterLine(move, row);
  if (row.state === READY) move.effect(row, "readied");
}
