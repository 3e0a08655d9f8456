import type { AmendAnswer, AmendRequest } from "@taskq/core/storage";
import { complete, followConsequences } from "./consequences.js";
import { finish, releaseGates } from "./final.js";
import { flowOf } from "./flow-graph.js";
import type { Move } from "./move.js";
import { Needs } from "./needs.js";
import { removeRow } from "./removal.js";
import { enterLine } from "./line.js";
import { restorableAmong, retryableAmong, type Reopened } from "./affected.js";
import { mend } from "./reopen.js";
import {
  ACTIVE,
  BLOCKED,
  CANCELLED,
  GATED,
  hasHolders,
  idOf,
  isFinalState,
  JOIN,
  PARKED,
  READY,
  REVOKED,
  type Row,
} from "./row.js";
import { rowById, rowByKey } from "./rows.js";
import { skipIfDead } from "./skip-dead.js";

/** Changes jobs by id. */
export function amend(move: Move, request: AmendRequest): AmendAnswer {
  const changed = apply(move, request);
  complete(move);
  return { changed, effects: move.effects };
}

function apply(move: Move, { ids, change }: AmendRequest): readonly string[] {
  const rows = [...new Set(ids)].flatMap((id) => rowById(move.scope.connection, move.queue, id) ?? []);
  switch (change.kind) {
    case "revoke":
      return changedBy(move, rows, (row) => revoke(move, row, change.scope));
    case "restore":
      return mended(move, restorableAmong(move, rows, change.scope));
    case "retry":
      return mended(move, retryableAmong(move, rows));
    case "reschedule":
      return changedBy(move, rows, (row) => reschedule(move, row, change.due));
    case "remove":
      return changedBy(move, rows, (row) => remove(move, row));
  }
}

function changedBy(move: Move, rows: readonly Row[], change: (row: Row) => boolean): readonly string[] {
  const ids: string[] = [];
  for (const { key } of rows) {
    // One before may have changed it.
    const row = rowByKey(move.scope.connection, key);
    if (row === undefined) continue;
    const id = idOf(row);
    if (change(row)) ids.push(id);
    followConsequences(move);
  }
  return ids;
}

function mended(move: Move, found: Reopened): readonly string[] {
  mend(move, found);
  return found.asked.map(idOf);
}

/** A join stands for its whole flow. */
function revoke(move: Move, row: Row, scope: "flow" | "later"): boolean {
  const jobs = (row.flags & JOIN) !== 0 || scope === "flow" ? flowOf(move, row) : [row];
  let revoked = false;
  for (const { key } of jobs) {
    // One before may have counted as skipped, and what follows that one with it.
    const job = rowByKey(move.scope.connection, key);
    if (job === undefined || isFinalState(job.state)) continue;
    if (job.state === ACTIVE) revoked = flag(move, job) || revoked;
    else if (skipIfDead(move, job)) followConsequences(move);
    else {
      finish(move, job, CANCELLED, { reason: "revoked", cause: null });
      move.effect(job, "cancelled", job);
      revoked = true;
    }
  }
  return revoked;
}

/** The owner of an active job is told; whether it was not so before. */
function flag(move: Move, row: Row): boolean {
  if ((row.flags & REVOKED) !== 0) return false;
  row.flags |= REVOKED;
  move.sql("UPDATE {jobs} SET flags = ? WHERE key = ?").run(row.flags, row.key);
  move
    .sql("INSERT OR REPLACE INTO {revoked} (key, queue, owner, fence, id) VALUES (?, ?, ?, ?, ?)")
    .run(row.key, move.queue.id, row.owner, row.fence, idOf(row));
  move.changeSeldom();
  move.scope.hintsOf(move.queue).control = true;
  return true;
}

function reschedule(move: Move, row: Row, due: number): boolean {
  if ((row.flags & JOIN) !== 0 || row.state >= ACTIVE || skipIfDead(move, row)) return false;
  row.due = due;
  if (row.state === BLOCKED || (row.state === PARKED && isTurn(row.gate))) {
    move.sql("UPDATE {jobs} SET due = ? WHERE key = ?").run(due, row.key);
    return true;
  }
  if (row.state === READY && (row.flags & GATED) !== 0) releaseGates(move, row);
  if (hasHolders(row.gate)) move.opened.add(row.gate);
  enterLine(move, row);
  return true;
}

/** Whether a line is one that a job has to wait in, whatever its due. */
function isTurn(gate: string | null): boolean {
  return gate !== null && (gate.startsWith("unique:") || gate.startsWith("schedule:"));
}

/** What something unfinished depends on stays. */
function remove(move: Move, row: Row): boolean {
  if ((row.flags & JOIN) !== 0 || !isFinalState(row.state)) return false;
  if (new Needs(move.scope.connection).isNeeded(row)) return false;
  removeRow(move, row);
  return true;
}
