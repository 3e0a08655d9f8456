import { TaskqError } from "@taskq/core/storage";
import { followConsequences } from "./consequences.js";
import { edgesFrom, edgesTo, followEdge, TURN } from "./edges.js";
import { releaseGates } from "./final.js";
import { flowOf } from "./flow-graph.js";
import type { Move } from "./move.js";
import { block } from "./line.js";
import { release } from "./readiness.js";
import {
  ACTIVE,
  BLOCKED,
  CANCELLED,
  COMPLETED,
  FAILED,
  GATED,
  idOf,
  isFinalState,
  JOIN,
  metaOf,
  QUARANTINED,
  ROW_COLUMNS,
  UNIQUE,
  type Key,
  type Row,
} from "./row.js";
import { rowByKey } from "./rows.js";

/** What is to wait again. */
export interface Reopened {
  readonly jobs: readonly Row[];
  /** What was broken because of them, or went on because they were final. */
  readonly others: readonly Row[];
  /** Whether these are retried, not restored: their counters begin anew. */
  readonly anew: boolean;
}

/** Revoked jobs among these, or in their flows. @throws `TASKQ_NOT_RESTORABLE` */
export function restorableAmong(move: Move, rows: readonly Row[], scope: "flow" | "later"): Reopened {
  const asked = new Map<Key, Row>();
  for (const row of rows) {
    const whole = (row.flags & JOIN) !== 0 || scope === "flow";
    for (const job of whole ? flowOf(move, row) : [row]) asked.set(job.key, job);
  }
  const jobs = [...asked.values()].filter(({ state, reason }) => state === CANCELLED && reason === "revoked");
  const ran = jobs.find(({ attempt }) => attempt > 0);
  if (ran !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `the job ${idOf(ran)} has run before`);
  }
  const { others, started } = affectedBy(move, jobs);
  const gone = started ?? others.find(({ flags }) => (flags & JOIN) !== 0);
  if (gone !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `what followed the revoked job has gone on: ${idOf(gone)}`);
  }
  return { jobs, others, anew: false };
}

/** Failed and quarantined jobs among these. @throws `TASKQ_FLOW_FINISHED` */
export function retryableAmong(move: Move, rows: readonly Row[]): Reopened {
  const jobs = rows.filter(
    ({ state, flags }) => (flags & JOIN) === 0 && (state === FAILED || state === QUARANTINED),
  );
  const { others, started } = affectedBy(move, jobs);
  if (started !== undefined) {
    throw new TaskqError("TASKQ_FLOW_FINISHED", `what follows the failed job has started: ${idOf(started)}`);
  }
  return { jobs, others, anew: true };
}

interface Affected {
  readonly others: readonly Row[];
  readonly started: Row | undefined;
}

/** All that stands where it stands because these jobs are final, and one of those that have started since. */
function affectedBy(move: Move, jobs: readonly Row[]): Affected {
  const changed = new Map<Key, Row>(jobs.map((job) => [job.key, job]));
  const ids = new Set(jobs.map(idOf));
  let started: Row | undefined;
  for (const row of changed.values()) {
    if (!isFinalState(row.state)) continue;
    for (const other of behind(move, row)) {
      if (changed.has(other.key)) continue;
      const standing = standingOf(other, ids);
      if (standing === "started") started = other;
      if (standing !== "affected") continue;
      changed.set(other.key, other);
      ids.add(idOf(other));
    }
  }
  for (const job of jobs) changed.delete(job.key);
  return { others: [...changed.values()], started };
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

/** `apart`: it stands where it stands for a reason of its own. */
function standingOf(row: Row, changed: ReadonlySet<string>): "affected" | "started" | "apart" {
  if (row.state === BLOCKED) return "apart";
  if (row.cause !== null) return changed.has(row.cause) ? "affected" : "apart";
  if ((row.flags & JOIN) !== 0) return "affected";
  if (row.state === ACTIVE || row.attempt > 0) return "started";
  return isFinalState(row.state) && row.state !== COMPLETED ? "apart" : "affected";
}

/** Makes the jobs wait again, and returns the others to `blocked`, from where they go on as their edges say. */
export function mend(move: Move, { jobs, others, anew }: Reopened): void {
  const rows = [...jobs, ...others];
  for (const row of rows) blockAgain(move, row);
  for (const row of jobs) {
    row.due = anew ? move.now : Math.max(row.due, move.now);
    move.sql("UPDATE {jobs} SET due = ? WHERE key = ?").run(row.due, row.key);
    // A late repeat of the settlement that is undone must not be told that it stands.
    if (anew) {
      move
        .sql("UPDATE {jobs} SET failures = 0, crashes = 0, settled = NULL, fence = -abs(fence) WHERE key = ?")
        .run(row.key);
    }
  }
  const touched = new Set<Key>(rows.map(({ key }) => key));
  for (const row of rows)
    for (const edge of edgesFrom(move.scope.connection, row.key)) touched.add(edge.target);
  for (const key of touched) recount(move, key);
  for (const row of jobs) if (anew) releaseKey(move, row.key);
  for (const key of touched) {
    reconsider(move, key);
    followConsequences(move);
  }
}

function blockAgain(move: Move, row: Row): void {
  if (isFinalState(row.state)) {
    if ((row.flags & JOIN) === 0) move.count(row.state, -1);
    else forgetDoom(move, row);
  } else {
    if ((row.flags & GATED) !== 0) releaseGates(move, row);
    if ((row.flags & UNIQUE) !== 0) freeKey(move, row);
  }
  block(move, row);
  const gate = (row.flags & JOIN) === 0 ? "" : null;
  move.sql("UPDATE {jobs} SET gate = ?, result = NULL WHERE key = ?").run(gate, row.key);
}

function forgetDoom(move: Move, row: Row): void {
  move.sql("DELETE FROM {doomed} WHERE key = ?").run(row.key);
  move.changeSeldom();
}

function freeKey(move: Move, row: Row): void {
  const key = metaOf(row).unique?.key;
  if (key === undefined) return;
  const { changes } = move
    .sql("DELETE FROM {uniques} WHERE queue = ? AND name = ? AND holder = ?")
    .run(move.queue.id, key, row.key);
  if (changes > 0) move.freed.add(key);
}

/** All edges of a blocked row are open again. */
function recount(move: Move, key: Key): void {
  const row = rowByKey(move.scope.connection, key);
  if (row === undefined || row.state !== BLOCKED) return;
  move.sql(`UPDATE {edges} SET met = 0 WHERE target = ? AND condition <> ${TURN}`).run(key);
  move
    .sql(
      `UPDATE {jobs} SET pending = (SELECT count(*) FROM {edges} WHERE target = ? AND condition <> ${TURN}) WHERE key = ?`,
    )
    .run(key, key);
}

function releaseKey(move: Move, key: Key): void {
  const row = rowByKey(move.scope.connection, key);
  if (row !== undefined && row.state === BLOCKED) release(move, row);
}

/** Goes on from where the sources stand. */
function reconsider(move: Move, key: Key): void {
  const row = rowByKey(move.scope.connection, key);
  if (row === undefined || row.state !== BLOCKED) return;
  const edges = edgesTo(move, key).filter(({ condition }) => condition !== TURN);
  if (edges.length === 0) {
    release(move, row);
    return;
  }
  for (const edge of edges) {
    const source = rowByKey(move.scope.connection, edge.source);
    if (source !== undefined && isFinalState(source.state)) followEdge(move, source, edge);
  }
}
