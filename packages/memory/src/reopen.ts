/** Taking back that jobs are final: restoring after a revoke, retrying by hand. */
import { isFinal, TaskqError } from "@taskq/core/storage";
import { brokenEdge, recountEdges } from "./edges.js";
import { admit, giveUpAgain, reconsider, reconsiderJoin } from "./finish.js";
import { flowOf } from "./flow-graph.js";
import { withdraw } from "./gates.js";
import { brokenMember, failedGroupBehind, recountMembers, sourcesOf } from "./joins.js";
import type { Move } from "./queue-state.js";
import { forget } from "./retention.js";
import type { JobRow, JoinRow, Row } from "./rows.js";
import { setState } from "./transition.js";
import { free } from "./unique.js";

/** What is to wait again. */
export interface Reopened {
  readonly jobs: readonly JobRow[];
  /** Those that were asked for, and of which some of these are. */
  readonly asked: readonly Row[];
  /** What was broken because of them, or went on because they were final: jobs in the order of enqueue, then joins. */
  readonly others: readonly Row[];
  /** Whether these are retried, not restored: their counters begin anew. */
  readonly anew: boolean;
}

/** Revoked jobs among these, or in their flows. @throws `TASKQ_NOT_RESTORABLE` */
export function restorableAmong(rows: readonly Row[], scope: "flow" | "later"): Reopened {
  const revoked = new Map(
    rows.map((row) => [
      row,
      (row.kind === "join" || scope === "flow" ? flowOf(row) : [row]).filter(isRevoked),
    ]),
  );
  const asked = rows.filter((row) => revoked.get(row)?.length !== 0);
  const jobs = [...new Set([...revoked.values()].flat())];
  const ran = jobs.find(({ attempt }) => attempt > 0);
  if (ran !== undefined) throw new TaskqError("TASKQ_NOT_RESTORABLE", `the job ${ran.id} has run before`);
  const { others, started } = affectedBy(jobs);
  const gone = started ?? others.find((row) => row.kind === "join") ?? firstFailedGroup(jobs);
  if (gone !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `what followed the revoked job has gone on: ${gone.id}`);
  }
  const lacking = firstRemovedSource([...jobs, ...others]);
  if (lacking !== undefined) {
    throw new TaskqError("TASKQ_NOT_RESTORABLE", `a part of the flow was removed: ${lacking.id}`);
  }
  return { jobs, asked, others, anew: false };
}

/** Failed and quarantined jobs among these. @throws `TASKQ_FLOW_FINISHED` */
export function retryableAmong(rows: readonly Row[]): Reopened {
  const jobs = rows.filter((row) => row.kind === "job").filter(isFailure);
  const { others, started } = affectedBy(jobs);
  if (started !== undefined) {
    throw new TaskqError("TASKQ_FLOW_FINISHED", `what follows the failed job has started: ${started.id}`);
  }
  const lacking = firstRemovedSource([...jobs, ...others]);
  if (lacking !== undefined) {
    throw new TaskqError("TASKQ_FLOW_FINISHED", `a part of the flow was removed: ${lacking.id}`);
  }
  return { jobs, asked: jobs, others, anew: true };
}

function firstFailedGroup(jobs: readonly JobRow[]): Row | undefined {
  const passed = new Set<Row>();
  for (const job of jobs) {
    const join = failedGroupBehind(job, passed);
    if (join !== undefined) return join;
  }
  return undefined;
}

/** What cannot be waited for again, nor read: without it a follower would hang, or reckon with a part. */
function firstRemovedSource(rows: readonly Row[]): Row | undefined {
  const readers = new Set(rows);
  for (const reader of readers) {
    for (const source of sourcesOf(reader)) {
      if (source.removed) return source;
      if (source.kind === "join") readers.add(source);
    }
  }
  return undefined;
}

function isRevoked({ state, reason, removed }: JobRow): boolean {
  return state === "cancelled" && reason === "revoked" && !removed;
}

function isFailure({ state }: JobRow): boolean {
  return state === "failed" || state === "quarantined";
}

/** All that is still there and stands where it stands because these jobs are final, and one of those that have started since. */
function affectedBy(jobs: readonly JobRow[]): { others: readonly Row[]; started: Row | undefined } {
  const asked = new Set<Row>(jobs);
  const changed = new Set<Row>(jobs);
  let started: Row | undefined;
  for (const row of changed) {
    if (!isFinal(row.state)) continue;
    for (const other of [...(row.victims ?? []), ...row.dependents.map(({ target }) => target)]) {
      if (asked.has(other) && other.kind === "job" && other.attempt > 0) started = other;
      if (other.removed || changed.has(other)) continue;
      const standing = standingOf(other, changed);
      if (standing === "affected") changed.add(other);
      if (standing === "started") started = other;
    }
  }
  for (const job of jobs) changed.delete(job);
  return { others: [...changed].toSorted((left, right) => orderOf(left) - orderOf(right)), started };
}

/** Whoever waits again for a unique key does so in the order of enqueue; joins take none. */
function orderOf(row: Row): number {
  return row.kind === "job" ? row.order : Number.MAX_SAFE_INTEGER;
}

/** `apart`: it stands where it stands for a reason of its own. */
function standingOf(row: Row, changed: ReadonlySet<Row>): "affected" | "started" | "apart" {
  if (row.state === "blocked") return "apart";
  const root = row.broken?.root;
  if (root !== undefined && root !== row) return changed.has(root) ? "affected" : "apart";
  if (row.kind === "join") return "affected";
  if (row.state === "active" || row.attempt > 0) return "started";
  return root === undefined ? "affected" : "apart";
}

/** Makes the jobs wait again, and returns the others to `blocked`, from where they go on as their edges say. */
export function mend(move: Move, { jobs, others, anew }: Reopened): void {
  const rows: readonly Row[] = [...jobs, ...others];
  for (const row of rows) if (row.kind === "job") stopReading(row);
  for (const row of rows) block(move, row);
  for (const row of jobs) {
    row.due = anew ? move.now : Math.max(row.due, move.now);
    // A late repeat of the settlement that is undone must not be told that it stands.
    if (anew) row.failures = row.crashes = row.settledFence = 0;
  }
  const touched = new Set<Row>([
    ...rows,
    ...rows.flatMap(({ dependents }) => dependents.map(({ target }) => target)),
  ]);
  for (const row of touched) recount(row);
  // A group that stays failed has no use for what is retried, nor for what follows that.
  if (anew) giveUpAgain(move, rows);
  // First what cannot run: those that it takes with it enter no line, and take no key.
  for (const row of touched) reconsiderRow(move, row, true);
  for (const row of jobs) if (anew && row.state === "blocked") admit(move, row);
  for (const row of touched) reconsiderRow(move, row, false);
}

/** Goes on from where what comes before it stands, or only where that cannot be met. */
function reconsiderRow(move: Move, row: Row, ifBroken: boolean): void {
  const broken = row.kind === "job" ? brokenEdge(row) : brokenMember(row);
  if (ifBroken && broken === undefined) return;
  if (row.kind === "job") reconsider(move, row, broken);
  else reconsiderJoin(move, row, broken);
}

/** An error handler that is blocked again needs the job no more that had failed. */
function stopReading(row: JobRow): void {
  for (const { source } of row.edges) source.broken?.root.readers?.delete(row);
}

function block(move: Move, row: Row): void {
  if (row.kind === "job") blockJob(move, row);
  else blockJoin(move, row);
  row.broken?.root.victims?.delete(row);
  row.broken = undefined;
  row.reason = undefined;
  row.finishedAt = undefined;
}

function blockJob(move: Move, row: JobRow): void {
  if (isFinal(row.state)) forget(move.queue, row);
  else {
    withdraw(move, row);
    free(move, row);
  }
  setState(move, row, "blocked");
  row.bytes = undefined;
}

function blockJoin(move: Move, join: JoinRow): void {
  if (isFinal(join.state)) forget(move.queue, join);
  join.state = "blocked";
}

function recount(row: Row): void {
  if (row.kind === "job") recountEdges(row);
  else recountMembers(row);
}
