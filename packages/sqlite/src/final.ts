import { countCapped } from "./caps.js";
import type { Move } from "./move.js";
import {
  ACTIVE,
  ATTEMPTED,
  DAMAGED,
  CAPPED,
  EXPIRED,
  FOLLOWED,
  GATED,
  hasHolders,
  idOf,
  JOIN,
  metaOf,
  READY,
  REVOKED,
  UNBEGUN,
  UNIQUE,
  VERDICT,
  type Row,
} from "./row.js";

/** Why a row is final without having completed. */
export interface Why {
  readonly reason: string | null;
  /** The id of the job because of which. */
  readonly cause: string | null;
}

export const NO_REASON: Why = { reason: null, cause: null };

/** Makes a row final that ends without a run of its own having ended it. */
export function finish(move: Move, row: Row, state: number, why: Why): void {
  const was = row.state;
  row.state = state;
  row.reason = why.reason;
  row.cause = why.cause;
  row.ended = move.now;
  // The next one in the line may need fewer free places than this one did.
  if (hasHolders(row.gate)) move.opened.add(row.gate);
  row.gate = null;
  row.later = null;
  move
    .sql(
      "UPDATE {jobs} SET state = ?, reason = ?, cause = ?, ended = ?, gate = NULL, later = NULL, flags = ? " +
        "WHERE key = ?",
    )
    .run(state, why.reason, why.cause, move.now, row.flags & ~(UNBEGUN | VERDICT), row.key);
  becameFinal(move, row, was);
}

/** Ends a row whose time to begin is over; answers whether it is. */
export function endIfExpired(move: Move, row: Row): boolean {
  if (row.expires === null || row.expires > move.now) return false;
  finish(move, row, EXPIRED, NO_REASON);
  move.effect(row, "expired");
  return true;
}

/** What follows when a row has become final, however it did. */
export function becameFinal(move: Move, row: Row, was: number): void {
  if ((row.flags & JOIN) === 0) {
    move.count(row.state);
    move.ended.push(row);
  }
  leaveRun(move, row, was);
  if ((row.flags & UNIQUE) !== 0) freeOnFinal(move, row);
  if ((row.flags & FOLLOWED) !== 0) move.finished.push(row);
  if ((row.flags & CAPPED) !== 0) countCapped(move, row);
  move.becameFinal(idOf(row));
}

/** Lets go of what a run holds, or of what a ready row was about to take. */
export function leaveRun(move: Move, row: Row, was: number): void {
  if ((row.flags & GATED) !== 0 && (was === ACTIVE || was === READY || was === DAMAGED))
    releaseGates(move, row);
  if (was !== ACTIVE) return;
  if ((row.flags & REVOKED) !== 0) forgetRevocation(move, row);
  move.runEnded(row.fence);
}

/** Gives back the places at gates that a row holds, or that are kept for it. */
export function releaseGates(move: Move, row: Row): void {
  const { gates } = metaOf(row);
  if (gates === undefined) return releaseUntold(move, row);
  for (const gate of gates) {
    const name = `${gate.kind}:${gate.key}`;
    const { changes } = move
      .sql("DELETE FROM {holders} WHERE queue = ? AND gate = ? AND holder = ?")
      .run(move.queue.id, name, row.key);
    if (changes > 0) move.opened.add(name);
  }
}

/** The same of a row that has gates and does not say which, since somebody has written into it: all that it holds. */
function releaseUntold(move: Move, row: Row): void {
  const held = move.raw("DELETE FROM {holders} WHERE queue = ? AND holder = ? RETURNING gate");
  for (const [gate] of held.all(move.queue.id, row.key) as [unknown][])
    if (typeof gate === "string") move.opened.add(gate);
}

/** The owner need not be told any more. */
function forgetRevocation(move: Move, row: Row): void {
  move.sql("DELETE FROM {revoked} WHERE key = ?").run(row.key);
  row.flags &= ~REVOKED;
  move.sql("UPDATE {jobs} SET flags = flags & ~8 WHERE key = ?").run(row.key);
  move.changeSeldom();
}

/** Frees the unique key of a row that is final; one until an instant stays taken until then. */
function freeOnFinal(move: Move, row: Row): void {
  const unique = metaOf(row).unique;
  if (unique === undefined) return freeUntold(move, row);
  move
    .sql("UPDATE {uniques} SET waiting = NULL WHERE queue = ? AND name = ? AND waiting = ?")
    .run(move.queue.id, unique.key, row.key);
  if (typeof unique.until !== "number") freeUnique(move, row, unique.key);
}

/** The same of a row that has a key and does not say which, since somebody has written into it. */
function freeUntold(move: Move, row: Row): void {
  const held = move.raw(
    "DELETE FROM {uniques} WHERE queue = ? AND holder = ? AND until IS NULL RETURNING name",
  );
  for (const [key] of held.all(move.queue.id, row.key) as [string][]) move.freed.add(key);
}

/** Frees the unique key of a row whose handler begins. */
export function freeOnStart(move: Move, row: Row): void {
  const unique = metaOf(row).unique;
  if (unique?.until === "started") freeUnique(move, row, unique.key);
}

function freeUnique(move: Move, row: Row, key: string): void {
  const { changes } = move
    .sql("DELETE FROM {uniques} WHERE queue = ? AND name = ? AND holder = ?")
    .run(move.queue.id, key, row.key);
  if (changes > 0) move.freed.add(key);
}

/** Records a run that ended otherwise than by completing its job. */
export function recordAttempt(
  move: Move,
  row: Row,
  run: { readonly startedAt: number; readonly error: Uint8Array | undefined },
): void {
  const owner = move.raw("SELECT name FROM {owners} WHERE id = ?").get(row.owner) as [string] | undefined;
  move
    .sql(
      "INSERT OR REPLACE INTO {attempts} (key, fence, attempt, owner, started, ended, error) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .run(row.key, row.fence, row.attempt, owner?.[0] ?? "", run.startedAt, move.now, run.error ?? null);
  row.flags |= ATTEMPTED;
}
