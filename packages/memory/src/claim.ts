/** Claiming ready jobs. */
import {
  CLAIM_PASSES,
  CLAIM_SLACK,
  type ClaimedJob,
  type ClaimRequest,
  type GateVerdict,
  type NewGate,
} from "@taskq/core/storage";
import { copyOf } from "./bytes.js";
import { endIfExpired, finishUnasked } from "./finish.js";
import { firstClosed, holdGates, nameOf, park, withdraw } from "./gates.js";
import { comesBefore } from "./order.js";
import type { Move, OwnerState } from "./queue-state.js";
import { revocationOf, useUpRevocation } from "./revocation.js";
import type { JobRow, Run } from "./rows.js";
import { sourcesFor } from "./sources.js";
import { setState } from "./transition.js";
import { freeOnStart } from "./unique.js";

export interface Claimant {
  readonly name: string;
  readonly owner: OwnerState;
  readonly knows: ReadonlySet<string>;
}

export interface Claimed {
  readonly rows: readonly JobRow[];
  /** Whether there may be more to claim at once. */
  readonly more: boolean;
}

/** Claims the first of the ready jobs, and deals with those that it meets and that may not run. */
export function claim(move: Move, claimant: Claimant, request: ClaimRequest): Claimed {
  const { queue } = move;
  if (queue.paused) return { rows: [], more: false };
  const wanted = request.begin + request.ahead;
  const rows: JobRow[] = [];
  const left: JobRow[] = [];
  const candidates = request.ids === undefined ? undefined : readyAmong(move, request.ids);
  let fence = 0;
  for (let looked = 0; rows.length < wanted && looked < wanted + CLAIM_SLACK; looked += 1) {
    if (left.length >= CLAIM_PASSES + Math.max(0, rows.length - request.begin)) break;
    const row = candidates === undefined ? queue.ready.peek() : candidates.shift();
    if (row === undefined) break;
    if (row.state !== "ready") continue;
    const begins = rows.length < request.begin;
    if (!begins && !mayBeAhead(row)) {
      queue.ready.remove(row);
      left.push(row);
      continue;
    }
    if (!mayStart(move, claimant, row)) continue;
    const closed = firstClosed(move, row);
    if (closed?.onBusy === "wait") {
      withdraw(move, row);
      park(move, row, nameOf(closed));
      continue;
    }
    if (fence === 0) fence = queue.nextFence();
    start(move, claimant, row, { fence, lease: request.lease, begun: begins, closed });
    rows.push(row);
  }
  const more = request.ids === undefined && queue.ready.size > 0;
  // One that was met later may have ended some of them, with its group.
  for (const row of left) if (row.state === "ready") queue.ready.push(row);
  return { rows, more };
}

function readyAmong({ queue }: Move, ids: readonly string[]): JobRow[] {
  const rows = new Set(ids.flatMap((id) => queue.jobOf(id) ?? []));
  const ready = [...rows].filter(({ state }) => state === "ready");
  return ready.toSorted((left, right) => (comesBefore(left, right) ? -1 : 1));
}

/** Deals with a ready job that may not run now, whatever its gates. */
function mayStart(move: Move, claimant: Claimant, row: JobRow): boolean {
  const { task } = row.job;
  if (endIfExpired(move, row)) return false;
  const closed = claimant.knows.has(task)
    ? move.queue.pausedTasks.has(task) && `pause:${task}`
    : `task:${task}`;
  if (closed !== false) {
    withdraw(move, row);
    park(move, row, closed);
    return false;
  }
  const revocation = revocationOf(move.queue, task, move.now);
  if (revocation === undefined) return true;
  useUpRevocation(move.queue, task);
  finishUnasked(move, row, "cancelled", "revoked");
  return false;
}

/** Jobs claimed ahead are held without running: not those that others wait behind, or that may run only once. */
function mayBeAhead({ job, reaped }: JobRow): boolean {
  return (job.gates ?? []).length === 0 && job.delivery === "at-least-once" && !reaped;
}

interface Start {
  readonly fence: number;
  readonly lease: number;
  readonly begun: boolean;
  readonly closed: NewGate | undefined;
}

function start(move: Move, claimant: Claimant, row: JobRow, { fence, lease, begun, closed }: Start): void {
  const { queue, now } = move;
  queue.ready.remove(row);
  if (closed === undefined) holdGates(move, row, fence);
  else withdraw(move, row);
  setState(move, row, "active");
  queue.active.add(row);
  claimant.owner.runs.add(row);
  row.attempt += 1;
  row.fence = fence;
  row.owner = claimant.name;
  row.startedAt = undefined;
  row.run = {
    fence,
    owner: claimant.name,
    lease,
    leaseUntil: now + lease,
    claimedAt: now,
    begun: false,
    startedAt: undefined,
    suspectSince: undefined,
    revoked: false,
    verdict: verdictFor(closed),
  };
  if (begun) begin(move, row, row.run);
}

function verdictFor(closed: NewGate | undefined): GateVerdict | undefined {
  if (closed === undefined || closed.onBusy === "wait") return undefined;
  return { kind: closed.onBusy, gate: closed.key, gateKind: closed.kind };
}

/** The handler of a run begins. */
export function begin(move: Move, row: JobRow, run: Run): void {
  if (run.begun) return;
  run.begun = true;
  row.startedAt = run.startedAt = move.now;
  freeOnStart(move, row);
}

/** What the owner of an active job is handed. */
export function claimedJob(row: JobRow, run: Run): ClaimedJob {
  const { job } = row;
  return {
    id: row.id,
    task: job.task,
    fence: run.fence,
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    priority: row.priority,
    enqueuedAt: row.enqueuedAt,
    due: row.due,
    expiresAt: job.expiresAt,
    delivery: job.delivery,
    body: copyOf(job.body),
    begun: run.begun,
    leaseUntil: run.leaseUntil,
    verdict: run.verdict,
    sources: sourcesFor(row),
    guards: guardsOf(row),
  };
}

function guardsOf({ job }: JobRow): ClaimedJob["guards"] {
  const { gates, unique, after } = job;
  if (gates === undefined && unique === undefined && after === undefined) return undefined;
  return {
    gates: gates?.map(({ key }) => key) ?? [],
    unique: unique?.key,
    after: after?.map(({ source }) => source) ?? [],
  };
}
