/** Removing final jobs of tasks that have more of them than they keep. */
import { KEPT_AT_LEAST } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { isNeeded, removeRow } from "./removal.js";
import type { Key, Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** Tasks that are looked at in one call. */
const TASKS_AT_ONCE = 50;

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
