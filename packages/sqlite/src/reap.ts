import { MAX_CRASHES, type ReapAnswer, type ReapedRun, type ReapRequest } from "@taskq/core/storage";
import { number, numberIfAny } from "./columns.js";
import type { Connection } from "./connection.js";
import { complete, followConsequences } from "./consequences.js";
import { becameFinal, leaveRun, recordAttempt } from "./final.js";
import { LEASE_COLUMNS, unpackKeys, type LeaseRow } from "./lease.js";
import { hasOpenings, openAnew } from "./limits.js";
import { dueBefore } from "./line.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import {
  ACTIVE,
  AT_MOST_ONCE,
  CANCELLED,
  FAILED,
  idOf,
  NEVER_AHEAD,
  READY,
  REVOKED,
  SCHEDULED,
  stateName,
  UNBEGUN,
  VERDICT,
  type Row,
} from "./row.js";
import { rowByKey } from "./rows.js";
import { skipIfDead } from "./skip-dead.js";

/** Whether a lease is over: passed, or further ahead than it is long. */
function isOver(lease: LeaseRow, now: number): boolean {
  return lease.until < now || lease.until > now + lease.length;
}

/** When a reap has something to do about a lease; not later than now: now. */
function attentionAt(queue: OpenQueue, lease: LeaseRow, now: number): number {
  if (!isOver(lease, now)) return lease.until + 1;
  const since = suspectSince(queue, lease, now);
  return since === undefined ? now : since + lease.length / 2;
}

/**
 * A suspicion is looked after half a lease later. One that is older than two leases, and than a process may be busy with
 * something else, was written by another clock.
 */
const LONGEST_ABSENCE = 10_000;

/**
 * Since when a lease is known to be over: as it is written down, or, where another clock wrote that, as this process has
 * seen it. Each process would else write it anew for ever, or take what the other has only just found.
 */
function suspectSince(queue: OpenQueue, lease: LeaseRow, now: number): number | undefined {
  const isOfThisClock = (since: number): boolean =>
    since <= now && now - since <= 2 * lease.length + LONGEST_ABSENCE;
  if (lease.suspect !== null && isOfThisClock(lease.suspect)) return lease.suspect;
  const seen = queue.sightings.get(lease.id);
  const isSame = seen?.fence === lease.fence && seen.until === lease.until;
  return isSame && isOfThisClock(seen.since) ? seen.since : undefined;
}

function leasesOf(connection: Connection, queue: OpenQueue): LeaseRow[] {
  const rows = connection
    .sql(`SELECT ${LEASE_COLUMNS} FROM {leases} WHERE queue = ?`)
    .all(queue.id) as LeaseRow[];
  // An instant that is none would have this asked again and again, without a pause.
  return rows.map((row) => ({
    ...row,
    until: number(row.until),
    length: number(row.length),
    suspect: numberIfAny(row.suspect),
  }));
}

/** The answer of a reap that has nothing to do; it only reads. */
export function idleReap(connection: Connection, queue: OpenQueue, now: number): ReapAnswer | undefined {
  if (now < queue.reapedAt && hasOpenings(connection, queue, now)) return undefined;
  let nextAt: number | undefined;
  for (const lease of leasesOf(connection, queue)) {
    const at = attentionAt(queue, lease, now);
    if (at <= now) return undefined;
    nextAt = Math.min(nextAt ?? at, at);
  }
  queue.reapedAt = now;
  return { reaped: [], effects: [], nextAt };
}

/** Marks runs whose lease is over as suspect, and takes those that were so half a lease ago. */
export function reap(move: Move, { limit }: ReapRequest): ReapAnswer {
  if (move.now < move.queue.reapedAt) openAnew(move);
  const reaped: ReapedRun[] = [];
  let nextAt: number | undefined;
  const leases = leasesOf(move.scope.connection, move.queue);
  for (const lease of leases) {
    let at = attentionAt(move.queue, lease, move.now);
    if (at <= move.now) {
      if (suspectSince(move.queue, lease, move.now) === undefined) at = suspect(move, lease);
      else if (takeLease(move, lease, limit, reaped)) continue;
    }
    nextAt = Math.min(nextAt ?? at, at);
  }
  forgetSightings(move.queue, leases);
  complete(move);
  move.scope.onCommit(() => (move.queue.reapedAt = move.now));
  return { reaped, effects: move.effects, nextAt };
}

function suspect(move: Move, lease: LeaseRow): number {
  if (activeRows(move, lease).length === 0) {
    move.sql("DELETE FROM {leases} WHERE id = ?").run(lease.id);
    return Infinity;
  }
  move.sql("UPDATE {leases} SET suspect = ? WHERE id = ?").run(move.now, lease.id);
  move.queue.sightings.set(lease.id, { fence: lease.fence, until: lease.until, since: move.now });
  return move.now + lease.length / 2;
}

/** Of leases that are gone. */
function forgetSightings({ sightings }: OpenQueue, leases: readonly LeaseRow[]): void {
  if (sightings.size === 0) return;
  const there = new Set(leases.map(({ id }) => id));
  for (const id of sightings.keys()) if (!there.has(id)) sightings.delete(id);
}

function activeRows(move: Move, lease: LeaseRow): Row[] {
  return unpackKeys(lease.jobs).flatMap((key) => {
    const row = rowByKey(move.scope.connection, key);
    return row !== undefined && row.state === ACTIVE && row.fence === lease.fence ? [row] : [];
  });
}

/** Takes the runs of a lease, up to the limit of the call; answers whether it took them all. */
function takeLease(move: Move, lease: LeaseRow, limit: number, reaped: ReapedRun[]): boolean {
  for (const row of activeRows(move, lease)) {
    if (reaped.length >= limit) return false;
    reaped.push(takeRun(move, row, lease.length));
    // What follows is done at once: it is told from what comes after by what was active then.
    if (move.finished.length > 0) followConsequences(move);
  }
  move.sql("DELETE FROM {leases} WHERE id = ?").run(lease.id);
  return true;
}

function takeRun(move: Move, row: Row, lease: number): ReapedRun {
  const { fence, attempt } = row;
  const begun = (row.flags & UNBEGUN) === 0;
  const revoked = (row.flags & REVOKED) !== 0;
  if (begun) {
    recordAttempt(move, row, { startedAt: row.started ?? move.now, error: undefined });
    row.crashes += 1;
  } else {
    row.attempt -= 1;
  }
  row.flags = (row.flags | NEVER_AHEAD) & ~(UNBEGUN | VERDICT);
  // The sign of a run that was taken away: a settlement under its fence is lost.
  row.fence = -fence;
  if (revoked) end(move, row, CANCELLED, "revoked");
  else if (begun && (row.flags & AT_MOST_ONCE) !== 0) end(move, row, FAILED, "interrupted");
  else if (begun && row.crashes > MAX_CRASHES) end(move, row, FAILED, "crashed");
  else if (begun) giveBack(move, row, move.now + Math.floor(Math.random() * row.crashes * lease));
  else giveBack(move, row, dueBefore(move, row));
  const state = row.state === SCHEDULED ? "ready" : stateName(row.state);
  return { id: idOf(row), fence, task: row.task, attempt, begun, state };
}

function write(move: Move, row: Row): void {
  move
    .sql(
      "UPDATE {jobs} SET state = ?, due = ?, later = ?, attempt = ?, crashes = ?, fence = ?, flags = ?, " +
        "reason = ?, ended = ? WHERE key = ?",
    )
    .run(
      row.state,
      row.due,
      row.later,
      row.attempt,
      row.crashes,
      row.fence,
      row.flags,
      row.reason,
      row.ended,
      row.key,
    );
}

function end(move: Move, row: Row, state: number, reason: string): void {
  row.state = state;
  row.reason = reason;
  row.ended = move.now;
  write(move, row);
  becameFinal(move, row, ACTIVE);
  if (state === FAILED) move.effect(row, "failed", row);
  else move.effect(row, "cancelled", row);
}

function giveBack(move: Move, row: Row, due: number): void {
  row.due = due;
  row.state = due > move.now ? SCHEDULED : READY;
  row.later = due > move.now ? due : null;
  write(move, row);
  leaveRun(move, row, ACTIVE);
  if (!skipIfDead(move, row)) move.becameReady();
}
