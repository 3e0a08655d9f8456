import type { NewUnique } from "@taskq/core/storage";
import { endIfExpired, finish } from "./final.js";
import { enterLine, park } from "./line.js";
import type { Move } from "./move.js";
import { ACTIVE, CANCELLED, idOf, metaOf, READY, ROW_COLUMNS, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";
import { IN_LINE } from "./schema.js";
import { skipIfDead } from "./skip-dead.js";

interface UniqueRow {
  readonly holder: Key;
  /** What is remembered of a holder that has been removed. */
  readonly id: string | null;
  readonly state: number | null;
  readonly waiting: Key | null;
  readonly until: number | null;
}

/**
 * Who has a key now. One until an instant that has passed goes to the first in its line before, and so does that of a
 * job which counts as skipped and is not written down as such.
 */
function holderOf(move: Move, key: string): UniqueRow | undefined {
  // Those in line come first.
  if (move.freed.delete(key)) letUniqueGo(move, key);
  const unique = move
    .sql(
      "SELECT CAST(holder AS TEXT) AS holder, CAST(waiting AS TEXT) AS waiting, until, id, state FROM {uniques} " +
        "WHERE queue = ? AND name = ?",
    )
    .get(move.queue.id, key) as UniqueRow | undefined;
  if (unique === undefined) return undefined;
  const row = unique.id === null ? rowByKey(move.scope.connection, unique.holder) : undefined;
  if (row !== undefined && skipIfDead(move, row) && move.freed.delete(key)) {
    letUniqueGo(move, key);
    return holderOf(move, key);
  }
  if (unique.until === null || unique.until > move.now) return unique;
  move.sql("DELETE FROM {uniques} WHERE queue = ? AND name = ?").run(move.queue.id, key);
  letUniqueGo(move, key);
  return holderOf(move, key);
}

/** The job that has a key now, and that a new one gives way to; it may have been removed. */
export function uniqueHolder(
  move: Move,
  key: string,
): { readonly id: string; readonly state: number } | undefined {
  const unique = holderOf(move, key);
  if (unique === undefined) return undefined;
  if (unique.id !== null && unique.state !== null) return { id: unique.id, state: unique.state };
  const row = rowByKey(move.scope.connection, unique.holder);
  return row === undefined ? undefined : { id: idOf(row), state: row.state };
}

/**
 * Ends a holder that will not run any more, so that its key is free: the new job would be lost with it. Answers whether it
 * did: then what follows comes before anybody else gets the key.
 */
export function endExpiredHolder(move: Move, key: string): boolean {
  const unique = holderOf(move, key);
  // A key until an instant outlives its job, however that ended.
  if (unique === undefined || unique.until !== null) return false;
  const row = rowByKey(move.scope.connection, unique.holder);
  return row !== undefined && row.state < ACTIVE && endIfExpired(move, row);
}

/**
 * A job that replaces takes the key of a waiting holder at once. Behind one that runs, it takes the place of the job
 * that waited there before, and `false` is answered. Jobs of one flow do not replace each other.
 */
export function takesOver(move: Move, row: Row, unique: NewUnique, siblings: ReadonlySet<Key>): boolean {
  const current = unique.onConflict === "replace" ? holderOf(move, unique.key) : undefined;
  if (current === undefined) return true;
  const { holder, waiting } = current;
  if (siblings.has(holder) || (waiting !== null && siblings.has(waiting))) return true;
  const held = rowByKey(move.scope.connection, holder);
  if (held !== undefined && held.state < ACTIVE) {
    holdUnique(move, row, unique.key, unique.until);
    cancelReplaced(move, held);
    return true;
  }
  parkBehindKey(move, row, unique.key);
  move
    .sql("UPDATE {uniques} SET waiting = ? WHERE queue = ? AND name = ?")
    .run(row.key, move.queue.id, unique.key);
  const before = waiting === null ? undefined : rowByKey(move.scope.connection, waiting);
  if (before !== undefined) cancelReplaced(move, before);
  return false;
}

/** One that would not have run any more ends as it would have by itself. */
function cancelReplaced(move: Move, row: Row): void {
  if (row.state >= ACTIVE || skipIfDead(move, row) || endIfExpired(move, row)) return;
  finish(move, row, CANCELLED, { reason: "replaced", cause: null });
  move.effect(row, "cancelled", row);
}

/** Takes the key of a job that is about to wait for its turn, or parks it behind the holder; whether it may go on. */
export function takeOrPark(move: Move, row: Row): boolean {
  const unique = metaOf(row).unique;
  if (unique === undefined || isOver(move, row, unique.until)) return true;
  const current = holderOf(move, unique.key);
  if (current?.holder === row.key) return true;
  if (current === undefined) {
    holdUnique(move, row, unique.key, unique.until);
    return true;
  }
  parkBehindKey(move, row, unique.key);
  return false;
}

/** Whether its unique key is of no use to a job any more. */
function isOver(move: Move, row: Row, until: NewUnique["until"]): boolean {
  if (until === "started") return row.attempt > 0;
  return typeof until === "number" && until <= move.now;
}

/** Parks a row in the line of a unique key, which is in the order of parking. */
function parkBehindKey(move: Move, row: Row, key: string): void {
  const gate = `unique:${key}`;
  const [last] = move
    .raw(`SELECT max(pending) FROM {jobs} WHERE queue = ? AND gate = ? AND ${IN_LINE} AND state = 3`)
    .get(move.queue.id, gate) as [number | null];
  park(move, row, gate);
  row.pending = (last ?? 0) + 1;
  move.sql("UPDATE {jobs} SET pending = ? WHERE key = ?").run(row.pending, row.key);
}

function holdUnique(move: Move, row: Row, key: string, until: NewUnique["until"]): void {
  const instant = typeof until === "number" ? until : null;
  move
    .sql("INSERT OR REPLACE INTO {uniques} (queue, name, holder, until) VALUES (?, ?, ?, ?)")
    .run(move.queue.id, key, row.key, instant);
  if (instant !== null) move.wakeAt(instant);
}

/** A key is free: the first in its line has it now. Those that need it no more go on too. */
export function letUniqueGo(move: Move, key: string): void {
  const gate = `unique:${key}`;
  const taken = move.raw("SELECT 1 FROM {uniques} WHERE queue = ? AND name = ?");
  if (taken.get(move.queue.id, key) !== undefined) return;
  const first = move.sql(
    `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE queue = ? AND gate = ? AND ${IN_LINE} AND state = 3 ORDER BY pending LIMIT 1`,
  );
  for (;;) {
    const row = first.get(move.queue.id, gate) as Row | undefined;
    if (row === undefined) return;
    if (skipIfDead(move, row)) continue;
    const until = metaOf(row).unique?.until;
    const takes = until !== undefined && !isOver(move, row, until);
    if (takes) holdUnique(move, row, key, until);
    enterLine(move, row);
    if (row.state === READY) move.effect(row, "readied", { gate });
    if (takes) return;
  }
}
