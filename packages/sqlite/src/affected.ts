import { TaskqError } from "@taskq/core/storage";
import { deadJoin } from "./dead.js";
import { edgesFrom, TURN } from "./edge-rows.js";
import { flowOf } from "./flow-graph.js";
import type { Move } from "./move.js";
import {
  ACTIVE,
  BLOCKED,
  CANCELLED,
  COMPLETED,
  FAILED,
  idOf,
  isFinalState,
  JOIN,
  DAMAGED,
  QUARANTINED,
  READY,
  ROW_COLUMNS,
  type Key,
  type Row,
} from "./row.js";
import { rowByKey } from "./rows.js";

/** What is to wait again. */
export interface Reopened {
  readonly jobs: readonly Row[];
  /** Those that were asked for, and of which some of these are. */
  readonly asked: readonly Row[];
  /** What was broken because of them, or went on because they were final: jobs in the order of enqueue, then joins. */
  readonly others: readonly Row[];
  /** Whether these are retried, not restored: their counters begin anew. */
  readonly anew: boolean;
}

/** Revoked jobs among these, or in their flows. @throws `TASKQ_NOT_RESTORABLE` */
export function restorableAmong(move: Move, rows: readonly Row[], scope: "flow" | "later"): Reopened {
  const found = new Map<Key, Row>();
  const asked = rows.filter((row) => {
    const whole = (row.flags & JOIN) !== 0 || scope === "flow";
    const revoked = (whole ? flowOf(move, row) : [row]).filter(isRevoked);
    for (const job of revoked) found.set(job.key, job);
    return revoked.length > 0;
  });
  const jobs = [...found.values()];
  const ran = jobs.find(({ attempt }) => attempt > 0);
  if (ran !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `the job ${idOf(ran)} has run before`);
  }
  const { others, started } = affectedBy(move, jobs);
  const gone = started ?? others.find(({ flags }) => (flags & JOIN) !== 0) ?? firstFailedGroup(move, jobs);
  if (gone !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `what followed the revoked job has gone on: ${idOf(gone)}`);
  }
  const lacking = firstRemovedSource(move, [...jobs, ...others]);
  if (lacking !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `a part of the flow was removed: ${lacking}`);
  }
  return { jobs, asked, others, anew: false };
}

/** Failed and quarantined jobs among these. @throws `TASKQ_FLOW_FINISHED` */
export function retryableAmong(move: Move, rows: readonly Row[]): Reopened {
  const jobs = rows.filter(
    ({ state, flags }) =>
      (flags & JOIN) === 0 && (state === FAILED || state === QUARANTINED || state === DAMAGED),
  );
  const { others, started } = affectedBy(move, jobs);
  if (started !== undefined) {
    throw new TaskqError("TASKQ_FLOW_FINISHED", `what follows the failed job has started: ${idOf(started)}`);
  }
  const lacking = firstRemovedSource(move, [...jobs, ...others]);
  if (lacking !== undefined) {
    throw new TaskqError("TASKQ_FLOW_FINISHED", `a part of the flow was removed: ${lacking}`);
  }
  return { jobs, asked: jobs, others, anew: true };
}

function isRevoked({ state, reason }: Row): boolean {
  return state === CANCELLED && reason === "revoked";
}

function firstFailedGroup(move: Move, jobs: readonly Row[]): Row | undefined {
  for (const { trunk } of jobs) {
    const join = deadJoin(move.scope.connection, { trunk, state: READY });
    if (join !== undefined) return join;
  }
  return undefined;
}

/** The id of what cannot be waited for again, nor read: without it a follower would hang, or reckon with a part. */
function firstRemovedSource(move: Move, rows: readonly Row[]): string | undefined {
  const sources = move.sql(
    `SELECT CAST(source AS TEXT) AS source, id FROM {edges} WHERE target = ? AND condition <> ${TURN} ORDER BY position`,
  );
  const keys = new Set<Key>(rows.map(({ key }) => key));
  for (const key of keys) {
    for (const edge of sources.all(key) as { readonly source: Key; readonly id: string }[]) {
      const row = rowByKey(move.scope.connection, edge.source);
      if (row === undefined) return edge.id;
      if ((row.flags & JOIN) !== 0) keys.add(row.key);
    }
  }
  return undefined;
}

interface Affected {
  readonly others: readonly Row[];
  readonly started: Row | undefined;
}

/** All that stands where it stands because these jobs are final, and one of those that have started since. */
function affectedBy(move: Move, jobs: readonly Row[]): Affected {
  const changed = new Map<Key, Row>(jobs.map((job) => [job.key, job]));
  const asked = new Set(changed.keys());
  const ids = new Set(jobs.map(idOf));
  let started: Row | undefined;
  for (const row of changed.values()) {
    if (!isFinalState(row.state)) continue;
    for (const other of [...behind(move, row), ...behindRemoved(move, row, ids)]) {
      if (asked.has(other.key) && other.attempt > 0) started = other;
      if (changed.has(other.key)) continue;
      const standing = standingOf(other, ids);
      if (standing === "started") started = other;
      if (standing !== "affected") continue;
      changed.set(other.key, other);
      ids.add(idOf(other));
    }
  }
  for (const job of jobs) changed.delete(job.key);
  return { others: [...changed.values()].toSorted(inOrder), started };
}

/** Whoever waits again for a unique key does so in the order of enqueue; joins take none. */
function inOrder(left: Row, right: Row): number {
  return (left.flags & JOIN) - (right.flags & JOIN) || left.time - right.time || left.low - right.low;
}

/** What follows a row, and what was given up with it, if it is a join that failed. */
function behind(move: Move, row: Row): Row[] {
  const rows = edgesFrom(move.scope.connection, row.key)
    .filter(({ condition }) => condition !== TURN)
    .flatMap(({ target }) => rowByKey(move.scope.connection, target) ?? []);
  if ((row.flags & JOIN) === 0) return rows;
  const givenUp = move
    .sql(`SELECT ${ROW_COLUMNS} FROM {jobs} WHERE trunk = ? AND reason = 'group failed' AND cause = ?`)
    .all(row.key, row.cause) as Row[];
  return [...rows, ...givenUp];
}

/** What was broken by one of these, and is reached through followers that were removed only. */
function behindRemoved(move: Move, row: Row, broken: ReadonlySet<string>): Row[] {
  const { connection } = move.scope;
  const found: Row[] = [];
  const removed = new Set<Key>();
  const look = (key: Key): void => {
    for (const { target, condition } of edgesFrom(connection, key)) {
      if (condition === TURN) continue;
      const other = rowByKey(connection, target);
      if (other === undefined) removed.add(target);
      else if (key !== row.key && other.cause !== null && broken.has(other.cause)) found.push(other);
    }
  };
  look(row.key);
  for (const key of removed) look(key);
  return found;
}

/** `apart`: it stands where it stands for a reason of its own. */
function standingOf(row: Row, changed: ReadonlySet<string>): "affected" | "started" | "apart" {
  if (row.state === BLOCKED) return "apart";
  if (row.cause !== null) return changed.has(row.cause) ? "affected" : "apart";
  if ((row.flags & JOIN) !== 0) return "affected";
  if (row.state === ACTIVE || row.attempt > 0) return "started";
  return isFinalState(row.state) && row.state !== COMPLETED ? "apart" : "affected";
}
