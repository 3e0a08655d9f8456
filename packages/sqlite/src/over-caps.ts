/** Removing final jobs of tasks that have more of them than they keep. */
import { KEPT_AT_LEAST } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { keptFor } from "./kept-for.js";
import { isOfKeptGroup, Needs } from "./needs.js";
import { removeRow } from "./removal.js";
import type { Key, Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** Tasks that are looked at in one call. */
const TASKS_AT_ONCE = 50;

/** How far a look has come that goes on with the next call. */
export interface CappedLook {
  readonly ended: number;
  readonly key: Key;
  /** How many it has passed that stay, and are among the oldest all the same. */
  readonly passed: number;
}

const FIRST_LOOK: CappedLook = { ended: -1, key: "-1", passed: 0 };

interface Looking {
  readonly now: number;
  /** The most rows to look at. */
  readonly looks: number;
  /** The most rows to find. */
  readonly limit: number;
}

/** Removes rows that their tasks keep no more; answers how many. */
export function removeCapped(move: Move, looks: number, limit: number = looks): number {
  const rows = rowsOver(move.scope.connection, move.queue, { now: move.now, looks, limit });
  for (const row of rows) removeRow(move, row);
  return rows.length;
}

/** Whether there are such rows; it only reads. */
export function hasOver(connection: Connection, queue: OpenQueue, now: number, looks: number): boolean {
  const looked = new Map(queue.cappedLooks);
  if (rowsOver(connection, queue, { now, looks, limit: 1 }).length === 0) return false;
  // Who removes them is to find them.
  queue.cappedLooks = looked;
  return true;
}

/** The oldest of tasks that have more than they keep, without those that something unfinished needs. */
function rowsOver(connection: Connection, queue: OpenQueue, { now, looks, limit }: Looking): Row[] {
  const caps = connection
    .raw(
      "SELECT task, other, count - max FROM {caps} WHERE queue = ? AND count > max " +
        "ORDER BY count - max DESC LIMIT ? + 0",
    )
    .all(queue.id, TASKS_AT_ONCE) as [string, number, number][];
  const needs = new Needs(connection);
  const found: Row[] = [];
  let left = looks;
  for (const [task, other, over] of caps) {
    const name = `${other} ${task}`;
    const before = queue.cappedLooks.get(name) ?? FIRST_LOOK;
    // Of those that it has passed, another process may have removed some since.
    const look = before.passed < over ? before : FIRST_LOOK;
    const asked = Math.min(over - look.passed, left);
    const keys = connection
      .raw(
        "SELECT ended, CAST(key AS TEXT) FROM {capped} WHERE queue = ? AND task = ? AND other = ? AND ended <= ? " +
          "AND (ended, key) > (?, CAST(? AS INTEGER)) ORDER BY ended, key LIMIT ? + 0",
      )
      .all(queue.id, task, other, now - KEPT_AT_LEAST, look.ended, look.key, asked) as [number, Key][];
    left -= keys.length;
    let { passed } = look;
    for (const [ended, key] of keys) {
      const row = rowByKey(connection, key);
      if (row !== undefined && !needs.isNeeded(row) && !isKeptWithGroup(connection, queue, row, now))
        found.push(row);
      else passed += 1;
      queue.cappedLooks.set(name, { ended, key, passed });
      if (found.length >= limit) return found;
    }
    // From the oldest on once more: what was needed then may not be any longer.
    if (keys.length < asked || asked === over - look.passed) queue.cappedLooks.delete(name);
    if (left <= 0) break;
  }
  return found;
}

/** Whether its own time is over, and it is kept as a part of its group. */
function isKeptWithGroup(connection: Connection, queue: OpenQueue, row: Row, now: number): boolean {
  return (row.ended ?? now) + keptFor(queue, row.state, row.meta) <= now && isOfKeptGroup(connection, row);
}
