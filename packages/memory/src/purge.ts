/** Removing what need not be kept any longer. */
import { isFinal, KEPT_AT_LEAST, type PurgeRequest } from "@taskq/core/storage";
import type { FinalJobs } from "./final-jobs.js";
import { withdraw } from "./gates.js";
import { keyOf } from "./made-id.js";
import type { Cap, Move } from "./queue-state.js";
import { forget, isNeeded, isOfKeptGroup, releaseWithheld, withhold } from "./retention.js";
import type { JobRow, Row } from "./rows.js";
import { endRun } from "./runs.js";

/** How long the name of a job is remembered, from its enqueue. */
const REMEMBERED = 24 * 60 * 60 * 1000;

/** Removes what is due, or everything. */
export function purge(move: Move, request: PurgeRequest): { removed: number; more: boolean } {
  if (request.everything === true) return flush(move, request.limit);
  const removed = purgeDue(move, request.limit);
  return { removed, more: removed > 0 && removed === request.limit };
}

/** Removes so many rows whose retention has passed, the oldest first. */
export function purgeDue(move: Move, limit: number): number {
  const { queue, now } = move;
  let removed = 0;
  while (removed < limit) {
    const row = queue.retained.peek();
    if (row === undefined || row.keepUntil > now) break;
    if (isOfKeptGroup(row)) withhold(queue, row);
    else removed += removeOrWithhold(move, row);
  }
  for (const cap of queue.caps.values()) removed += purgeCap(move, cap, limit - removed);
  const { completed, failed } = queue.retention;
  removed += purgeOver(move, queue.completedJobs, completed.max, limit - removed);
  return removed + purgeOver(move, queue.otherFinalJobs, failed.max, limit - removed);
}

/** Of a task: what has just ended stays a while. */
function purgeCap(move: Move, { jobs, max }: Cap, limit: number): number {
  let removed = 0;
  if (jobs.size <= max) return 0;
  for (const row of jobs) {
    const isYoung = (row.finishedAt ?? 0) > move.now - KEPT_AT_LEAST;
    if (jobs.size <= max || removed >= limit || isYoung) break;
    removed += removeOrWithhold(move, row);
  }
  return removed;
}

function purgeOver(move: Move, jobs: FinalJobs, max: number, limit: number): number {
  let removed = 0;
  if (jobs.size <= max) return 0;
  for (const row of jobs) {
    if (jobs.size <= max || removed >= limit) break;
    removed += removeOrWithhold(move, row);
  }
  return removed;
}

function removeOrWithhold(move: Move, row: Row): number {
  if (isNeeded(row)) {
    withhold(move.queue, row);
    return 0;
  }
  if (row.kind === "join") releaseWithheld(move.queue, row);
  removeRow(move, row);
  return 1;
}

/** Removes a final row, and remembers its name if a caller gave it. */
export function removeRow(move: Move, row: Row): void {
  const { queue } = move;
  forget(queue, row);
  queue.rows.delete(row.id);
  const named = row.kind === "job" ? row.job.named : row.named;
  if (named) rememberName(move, row);
  else {
    const key = keyOf(row.id);
    if (key !== undefined && queue.madeIds.get(key) === row.id) queue.madeIds.delete(key);
  }
  if (row.kind === "job") forgetJob(move, row);
  unlink(row);
}

function forgetJob({ queue }: Move, row: JobRow): void {
  queue.listing.remove(row);
  queue.counts.remove(row.job.task, row.state);
}

function rememberName({ queue, now }: Move, row: Row): void {
  const task = row.kind === "job" ? row.job.task : "";
  queue.tombstones.set(row.id, { task, state: row.state }, row.enqueuedAt + REMEMBERED, now);
}

/** What is left of it in its neighbours leads nowhere, and keeps nothing else in memory. */
function unlink(row: Row): void {
  row.removed = true;
  // A flush removes unfinished rows too, and need not have come to their neighbours yet.
  if (!isFinal(row.state)) {
    row.state = "cancelled";
    row.broken = { root: row, reason: "cancelled", failure: false };
  }
  row.broken?.root.victims?.delete(row);
  row.victims = undefined;
  row.readers = undefined;
  row.dependents.length = 0;
  if (row.kind === "join") {
    row.members.length = 0;
    row.added.clear();
    return;
  }
  for (const { source } of row.edges) source.broken?.root.readers?.delete(row);
  row.edges.length = 0;
  row.attempts.length = 0;
  row.bytes = row.progress = row.logs = undefined;
}

/** A flush leaves the queue's settings: schedules, pauses and locks. */
function flush(move: Move, limit: number): { removed: number; more: boolean } {
  const { queue } = move;
  let removed = 0;
  for (const row of queue.rows.values()) {
    if (removed >= limit) return { removed, more: true };
    drop(move, row);
    removeRow(move, row);
    removed += 1;
  }
  queue.values.clear();
  queue.answered.clear();
  queue.taken.clear();
  queue.tombstones.clear();
  queue.uniques.clear();
  queue.awaitedEnds.clear();
  queue.feed.clear();
  return { removed, more: false };
}

/** Takes an unfinished job out of its place. What it held is free, and nothing else follows from it. */
function drop(move: Move, row: Row): void {
  if (row.kind === "join") return;
  withdraw(move, row);
  endRun(move, row);
}
