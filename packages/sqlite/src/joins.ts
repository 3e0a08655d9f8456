import { finish } from "./final.js";
import { deadJoin, GROUP_FAILED } from "./dead.js";
import { doom } from "./edges.js";
import type { Move } from "./move.js";
import { ACTIVE, JOIN, READY, ROW_COLUMNS, SKIPPED, type Key, type Row } from "./row.js";

/** Whether a row that leads to a failed join counts as skipped: it is not final and not running. */
function isWaiting(row: Pick<Row, "state">): boolean {
  return row.state < ACTIVE;
}

/** Writes down members of failed joins as skipped, a bounded number in each move. */
export function writeConsequences(move: Move): void {
  for (const key of move.seldom().doomed) {
    if (move.consequencesLeft <= 0) return;
    move.consequencesLeft -= writeMembers(move, key, move.consequencesLeft);
  }
}

function writeMembers(move: Move, key: Key, limit: number): number {
  const join = deadJoin(move.scope.connection, { trunk: key, state: READY });
  const rows = move
    .sql(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE trunk = ? ` +
        "AND key > (SELECT cursor FROM {doomed} WHERE key = ?) ORDER BY {jobs}.key LIMIT ? + 0",
    )
    .all(key, key, limit) as Row[];
  for (const row of rows) {
    if (!isWaiting(row)) continue;
    finish(move, row, SKIPPED, { reason: GROUP_FAILED, cause: join?.cause ?? null });
    move.effect(row, "skipped", row);
    if ((row.flags & JOIN) !== 0) doom(move, row);
  }
  const last = rows.at(-1);
  if (last === undefined || rows.length < limit) {
    move.sql("DELETE FROM {doomed} WHERE key = ?").run(key);
    move.changeSeldom();
  } else {
    move.sql("UPDATE {doomed} SET cursor = ? WHERE key = ?").run(last.key, key);
  }
  return rows.length;
}
