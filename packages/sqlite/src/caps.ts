/** How many final jobs of one task are kept. Only rows with `CAPPED` are counted here. */
import { KEPT_AT_LEAST } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { isNeeded, removeRow } from "./removal.js";
import { COMPLETED, isFinalState, metaOf, type Key, type MetaKeep, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** Tasks that are looked at in one call. */
const TASKS_AT_ONCE = 50;

/** Whether jobs that are kept so are counted. */
export function isCapped(keep: MetaKeep | undefined): boolean {
  return keep?.completedMax !== undefined || keep?.failedMax !== undefined;
}

/** A final row, as far as it is counted. */
export type CappedRow = Pick<Row, "key" | "task" | "state" | "ended" | "meta">;

/** Counts a row that has become final. */
export function countCapped(move: Move, row: CappedRow): void {
  const { key, task, state, ended } = row;
  const keep = metaOf(row).keep;
  const max = state === COMPLETED ? keep?.completedMax : keep?.failedMax;
  if (max === undefined) return;
  const other = otherOf(state);
  move
    .sql("INSERT OR IGNORE INTO {capped} (queue, task, other, ended, key) VALUES (?, ?, ?, ?, ?)")
    .run(move.queue.id, task, other, ended ?? move.now, key);
  move
    .sql(
      "INSERT INTO {caps} (queue, task, other, count, max) VALUES (?, ?, ?, 1, ?) " +
        "ON CONFLICT (queue, task, other) DO UPDATE SET count = count + 1, max = excluded.max",
    )
    .run(move.queue.id, task, other, max);
  move.hasCapped = true;
}

/** Counts a row no more that is removed, or final no more. */
export function uncountCapped(move: Move, { key, task, state, ended }: CappedRow): void {
  if (!isFinalState(state) || ended === null) return;
  const other = otherOf(state);
  const { changes } = move
    .sql("DELETE FROM {capped} WHERE queue = ? AND task = ? AND other = ? AND ended = ? AND key = ?")
    .run(move.queue.id, task, other, ended, key);
  if (changes === 0) return;
  move
    .sql("UPDATE {caps} SET count = count - 1 WHERE queue = ? AND task = ? AND other = ?")
    .run(move.queue.id, task, other);
}

function otherOf(state: number): 0 | 1 {
  return state === COMPLETED ? 0 : 1;
}

/** Removes up to so many rows that their tasks keep no more, having looked at no more than that; answers how many. */
export function removeCapped(move: Move, looks: number): number {
  const rows = rowsOver(move.scope.connection, move.queue, { now: move.now, looks });
  for (const row of rows) removeRow(move, row);
  return rows.length;
}

/** Whether there are such rows; it only reads. */
export function hasOver(connection: Connection, queue: OpenQueue, looking: Looking): boolean {
  return rowsOver(connection, queue, looking).length > 0;
}

interface Looking {
  readonly now: number;
  /** The most rows to look at. */
  readonly looks: number;
}

/** The oldest of tasks that have more than they keep, without those that something unfinished needs. */
function rowsOver(connection: Connection, queue: OpenQueue, { now, looks }: Looking): Row[] {
  const caps = connection
    .raw(
      "SELECT task, other, count - max FROM {caps} WHERE queue = ? AND count > max " +
        "ORDER BY count - max DESC LIMIT ? + 0",
    )
    .all(queue.id, TASKS_AT_ONCE) as [string, number, number][];
  const found: Row[] = [];
  let left = looks;
  for (const [task, other, over] of caps) {
    const keys = connection
      .raw(
        "SELECT CAST(key AS TEXT) FROM {capped} WHERE queue = ? AND task = ? AND other = ? AND ended <= ? " +
          "ORDER BY ended, key LIMIT ? + 0",
      )
      .all(queue.id, task, other, now - KEPT_AT_LEAST, Math.min(over, left)) as [Key][];
    left -= keys.length;
    for (const [key] of keys) {
      const row = rowByKey(connection, key);
      if (row !== undefined && !isNeeded(connection, row)) found.push(row);
    }
    if (left <= 0) break;
  }
  return found;
}
