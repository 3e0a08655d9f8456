/** Renewing leases, and taking runs whose lease is over. */
import {
  isFinal,
  MAX_CRASHES,
  type ReapAnswer,
  type ReapedRun,
  type ReapRequest,
  type RenewAnswer,
  type RenewRequest,
} from "@taskq/core/storage";
import { dueBefore, finishUnasked, giveBack } from "./finish.js";
import { planLimitsAnew } from "./gates.js";
import type { Move } from "./queue-state.js";
import type { JobRow, Run } from "./rows.js";
import { recordAttempt, runOf } from "./runs.js";
import { revokedRuns } from "./step.js";

/** Keeps the runs of an owner. */
export function renew({ queue, now }: Move, request: RenewRequest): RenewAnswer {
  const leaseUntil = now + request.lease;
  const lost = request.runs.filter(({ id, fence }) => {
    const held = runOf(queue, id, fence);
    if (held === undefined || held.run.owner !== request.owner) return true;
    held.run.lease = request.lease;
    held.run.leaseUntil = leaseUntil;
    held.run.suspectSince = undefined;
    return false;
  });
  return { leaseUntil, lost, revoked: revokedRuns(queue, request.owner) };
}

/** Marks runs whose lease is over, and takes those that were marked half a lease ago. */
export function reap(move: Move, { limit }: ReapRequest): ReapAnswer {
  const { queue, now } = move;
  if (now < queue.reapedAt) planLimitsAnew(move);
  queue.reapedAt = now;
  const reaped: ReapedRun[] = [];
  for (const row of queue.active) {
    const { run } = row;
    if (run === undefined || !isOver(run, now)) continue;
    // Since later than now: the clock has been set back.
    run.suspectSince = Math.min(run.suspectSince ?? now, now);
    if (now >= takenFrom(run, run.suspectSince) && reaped.length < limit) reaped.push(take(move, row, run));
  }
  return { reaped, effects: move.effects, nextAt: nextAt(move) };
}

/** A lease further ahead than its own length was given by a clock that has been set back since. */
function isOver({ leaseUntil, lease }: Run, now: number): boolean {
  return leaseUntil < now || leaseUntil > now + lease;
}

function takenFrom({ lease }: Run, suspectSince: number): number {
  return suspectSince + lease / 2;
}

/** The first instant at which a reap may have something to do. */
function nextAt({ queue, now }: Move): number | undefined {
  let next: number | undefined;
  for (const { run } of queue.active) {
    if (run === undefined) continue;
    const { suspectSince } = run;
    const suspect = suspectSince !== undefined && isOver(run, now);
    const at = suspect ? takenFrom(run, suspectSince) : run.leaseUntil + 1;
    next = Math.min(next ?? at, at);
  }
  return next;
}

function take(move: Move, row: JobRow, run: Run): ReapedRun {
  row.reaped = true;
  const { attempt } = row;
  if (run.begun) {
    row.crashes += 1;
    recordAttempt(move, row, run, undefined);
  } else row.attempt -= 1;
  putBack(move, row, run);
  const state = isFinal(row.state) ? row.state : "ready";
  return { id: row.id, fence: run.fence, task: row.job.task, attempt, begun: run.begun, state };
}

function putBack(move: Move, row: JobRow, run: Run): void {
  const { crashes } = row;
  const once = run.begun && row.job.delivery === "at-most-once";
  if (run.revoked) finishUnasked(move, row, "cancelled", "revoked");
  else if (once) finishUnasked(move, row, "failed", "interrupted");
  else if (crashes > MAX_CRASHES) finishUnasked(move, row, "failed", "crashed");
  else {
    // Neighbours that crashed with a job that crashes its process shall not run beside it again.
    if (run.begun) row.due = move.now + Math.floor(Math.random() * crashes * run.lease);
    else row.due = dueBefore(move, row);
    giveBack(move, row);
  }
}
