import { complete } from "./consequences.js";
import { emptyFeed } from "./feed.js";
import { leaveRun } from "./final.js";
import type { Move } from "./move.js";
import { removeRow } from "./removal.js";
import { ROW_COLUMNS, type Row } from "./row.js";

/** What goes with the jobs, and may be as much as they are. */
const BESIDE = ["names", "values", "operations", "uniques"] as const;

/** A flush leaves the queue's settings: schedules, pauses and locks. So many rows go at a time. */
export function flush(move: Move, limit: number): { readonly removed: number; readonly more: boolean } {
  const removed = removeJobs(move, limit);
  const more = !isEmptied(move, limit - removed);
  if (!more) {
    move.sql("DELETE FROM {parking} WHERE queue = ?").run(move.queue.id);
    emptyFeed(move);
    move.changeSeldom();
  }
  complete(move);
  return { removed, more };
}

function removeJobs(move: Move, limit: number): number {
  const rows = move
    .sql(`SELECT ${ROW_COLUMNS} FROM {jobs} WHERE queue = ? ORDER BY {jobs}.key LIMIT ? + 0`)
    .all(move.queue.id, limit) as Row[];
  for (const row of rows) {
    leaveRun(move, row, row.state);
    removeRow(move, row);
    move.sql("DELETE FROM {edges} WHERE source = ?").run(row.key);
  }
  return rows.length;
}

/** Removes up to so many rows of what goes with the jobs, once those are gone; answers whether all of it is gone. */
function isEmptied(move: Move, limit: number): boolean {
  const { id } = move.queue;
  let left = limit;
  for (const table of BESIDE) {
    if (left === 0) return isEmpty(move);
    left -= move
      .sql(
        `DELETE FROM {${table}} WHERE queue = ? AND name IN (SELECT name FROM {${table}} WHERE queue = ? LIMIT ? + 0)`,
      )
      .run(id, id, left).changes;
  }
  return left > 0 || isEmpty(move);
}

function isEmpty(move: Move): boolean {
  return ["jobs", ...BESIDE].every(
    (table) => move.raw(`SELECT 1 FROM {${table}} WHERE queue = ? LIMIT 1`).get(move.queue.id) === undefined,
  );
}
