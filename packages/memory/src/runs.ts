/** Runs: how the right to an active job begins and ends. */
import type { RunReference } from "@taskq/core/storage";
import { freeGates } from "./gates.js";
import { admit } from "./phase.js";
import type { Move, OwnerState, QueueState } from "./queue-state.js";
import type { JobRow, Run } from "./rows.js";

const FEW_OWNERS = 1000;

/** What is known of an owner; made up where nothing is. */
export function ownerOf(queue: QueueState, name: string): OwnerState {
  let owner = queue.owners.get(name);
  if (owner === undefined) {
    if (queue.owners.size >= FEW_OWNERS) forgetIdleOwners(queue);
    owner = { runs: new Set(), revoked: new Set(), lastRequest: -1, lastClaim: [] };
    queue.owners.set(name, owner);
  }
  return owner;
}

function forgetIdleOwners(queue: QueueState): void {
  for (const [name, { runs }] of queue.owners) {
    if (queue.owners.size < FEW_OWNERS) return;
    if (runs.size === 0) queue.owners.delete(name);
  }
}

/** The run of an active job that this fence proves. */
export function runOf(queue: QueueState, id: string, fence: number): { row: JobRow; run: Run } | undefined {
  const row = queue.jobOf(id);
  const run = row?.run;
  return row !== undefined && run !== undefined && run.fence === fence ? { row, run } : undefined;
}

/** Refuses what is new, but from a run: that ends where it is, with all that it does. @throws `TASKQ_MOVED` */
export function admitFrom(queue: QueueState, run: RunReference | undefined): void {
  const runs = run !== undefined && runOf(queue, run.id, run.fence) !== undefined;
  if (queue.phase !== "leaving" || !runs) admit(queue);
}

/** The run ends, and gives back its gates; the job is to be given another state. */
export function endRun(move: Move, row: JobRow): void {
  const { run } = row;
  if (run === undefined) return;
  row.run = undefined;
  move.queue.active.delete(row);
  const owner = move.queue.owners.get(run.owner);
  owner?.runs.delete(row);
  owner?.revoked.delete(row);
  freeGates(move, row);
}

/** Keeps on the job that a run has ended otherwise than by completing it. */
export function recordAttempt({ now }: Move, row: JobRow, run: Run, error: Uint8Array | undefined): void {
  row.attempts.push({
    attempt: row.attempt,
    fence: run.fence,
    owner: run.owner,
    startedAt: run.startedAt ?? run.claimedAt,
    endedAt: now,
    error,
  });
}

/** A user has revoked an active job: its owner is told. Whether it was not so before. */
export function flagRun({ queue }: Move, row: JobRow): boolean {
  if (row.run === undefined || row.run.revoked) return false;
  row.run.revoked = true;
  queue.owners.get(row.run.owner)?.revoked.add(row);
  queue.hints.control();
  return true;
}
