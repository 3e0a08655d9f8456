/** How long final jobs and joins are kept. */
import { isFinal } from "@taskq/core/storage";
import { FinalJobs } from "./final-jobs.js";
import { sourcesOf } from "./joins.js";
import type { QueueState } from "./queue-state.js";
import type { JobRow, Row } from "./rows.js";

/** Begins the retention of a row that has become final. */
export function retain(queue: QueueState, row: Row): void {
  row.keepUntil = (row.finishedAt ?? 0) + keepFor(queue, row);
  queue.retained.push(row);
  if (row.kind === "job") keepJob(queue, row, "add");
}

/** Ends the retention of a row that is removed, or final no more. */
export function forget(queue: QueueState, row: Row): void {
  queue.retained.remove(row);
  queue.withheld.delete(row);
  if (row.kind !== "job") return;
  finalJobs(queue, row).delete(row);
  const name = capName(row);
  const jobs = queue.caps.get(name)?.jobs;
  if (jobs?.delete(row) === true && jobs.size === 0) queue.caps.delete(name);
}

/** Puts a row aside whose retention has passed, until what depends on it is final. */
export function withhold(queue: QueueState, row: Row): void {
  forget(queue, row);
  queue.withheld.add(row);
}

/** Lets go of what was put aside for a row that is final now; what is still needed is put aside again. */
export function releaseWithheld(queue: QueueState, row: Row): void {
  // What follows a row that was skipped, or a join, reads what comes before it: that waits for those to end.
  if (queue.withheld.size === 0 || (isReadThrough(row) && isNeeded(row))) return;
  const open = [row];
  const seen = new Set<Row>(open);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const source of [...sourcesOf(next), ...rootsReadBy(next)]) {
      if (seen.has(source)) continue;
      seen.add(source);
      release(queue, source);
      if (isReadThrough(source)) open.push(source);
    }
  }
}

/** The jobs that an error handler reads without an edge to them. */
function rootsReadBy(row: Row): readonly Row[] {
  if (row.kind === "join") return [];
  return row.edges.flatMap(({ source, on }) => (on === "failed" ? (source.broken?.root ?? []) : []));
}

function release(queue: QueueState, row: Row): void {
  if (!queue.withheld.delete(row)) return;
  queue.retained.push(row);
  if (row.kind === "job") keepJob(queue, row, "giveBack");
}

/** Whether something unfinished depends on it: what follows it, or reads it through joins and skipped jobs. */
export function isNeeded(row: Row): boolean {
  const open = [row];
  const seen = new Set<Row>(open);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const reader of next.readers ?? []) if (!isFinal(reader.state)) return true;
    for (const { target } of next.dependents) {
      if (!isFinal(target.state)) return true;
      if (!isReadThrough(target) || seen.has(target)) continue;
      seen.add(target);
      open.push(target);
    }
  }
  return false;
}

/**
 * Whether it is read as a part of a group that is kept: one that nothing is given to, so that whoever waits for it is told
 * what its members yielded.
 */
export function isOfKeptGroup(row: Row): boolean {
  const groups = new Set<Row>([row]);
  for (const next of groups) {
    for (const { target } of next.dependents) {
      if (target.kind !== "join" || target.state !== "completed" || target.removed) continue;
      if (target.dependents.every((dependent) => "on" in dependent && dependent.on === "failed")) return true;
      groups.add(target);
    }
  }
  return false;
}

function isReadThrough({ kind, state }: Row): boolean {
  return kind === "join" || state === "skipped";
}

/** Reckons anew how long each row is kept: the queue's retention has changed. */
export function reckonRetention(queue: QueueState): void {
  for (const row of queue.retained.items.slice()) {
    queue.retained.remove(row);
    row.keepUntil = (row.finishedAt ?? 0) + keepFor(queue, row);
    queue.retained.push(row);
  }
  for (const row of queue.withheld) row.keepUntil = (row.finishedAt ?? 0) + keepFor(queue, row);
}

function keepFor(queue: QueueState, row: Row): number {
  const { completed, failed } = queue.retention;
  const keep = row.kind === "job" ? row.job.keep : undefined;
  return row.state === "completed" ? (keep?.completed ?? completed.for) : (keep?.failed ?? failed.for);
}

function finalJobs(queue: QueueState, row: JobRow): FinalJobs {
  return row.state === "completed" ? queue.completedJobs : queue.otherFinalJobs;
}

/** Counts a final job, in the queue and of its task where that keeps no more than so many. */
function keepJob(queue: QueueState, row: JobRow, as: "add" | "giveBack"): void {
  finalJobs(queue, row)[as](row);
  const { keep } = row.job;
  const max = row.state === "completed" ? keep?.completedMax : keep?.failedMax;
  if (max === undefined) return;
  const name = capName(row);
  let cap = queue.caps.get(name);
  if (cap === undefined) queue.caps.set(name, (cap = { jobs: new FinalJobs(), max }));
  else if (as === "add") cap.max = max;
  cap.jobs[as](row);
}

function capName({ state, job }: JobRow): string {
  return `${state === "completed" ? "completed" : "other"} ${job.task}`;
}
