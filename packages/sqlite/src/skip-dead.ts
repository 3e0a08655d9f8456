import { deadJoin, GROUP_FAILED } from "./dead.js";
import { finish } from "./final.js";
import type { Move } from "./move.js";
import { SKIPPED, type Row } from "./row.js";

/** Ends a row that counts as skipped because its join failed; answers whether it does. */
export function skipIfDead(move: Move, row: Row): boolean {
  const join = deadJoin(move.scope.connection, row);
  if (join === undefined) return false;
  finish(move, row, SKIPPED, { reason: GROUP_FAILED, cause: join.cause });
  move.effect(row, "skipped", row);
  return true;
}
