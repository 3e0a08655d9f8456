/** The hot path: settles what ended, claims what is free. */
import type { RunReference, StepAnswer, StepRequest } from "@taskq/core/storage";
import { begin, claim, claimedJob, type Claimed } from "./claim.js";
import { letKnownGo, nextDue, openDueGates, promote } from "./opening.js";
import { admit, isStill } from "./phase.js";
import { purgeDue } from "./purge.js";
import type { Move, OwnerState, QueueState } from "./queue-state.js";
import type { JobRow } from "./rows.js";
import { ownerOf, runOf } from "./runs.js";
import { checkSettlements, settle } from "./settle.js";

/** Rows that a step purges by the way, at least; and for each run that it settles, so that purging keeps up. */
const PURGED_PER_STEP = 100;
const PURGED_PER_RUN = 2;

/** Settles and claims. */
export function step(move: Move, request: StepRequest): StepAnswer {
  const { queue } = move;
  if (queue.phase !== "open" && claimsAnew(queue, request)) admit(queue);
  checkSettlements(move, request.settled);
  // First, since a run may have begun and ended since the step before.
  for (const { id, fence } of request.begun) {
    const held = runOf(queue, id, fence);
    if (held !== undefined) begin(move, held.row, held.run);
  }
  const settled = request.settled.map((settlement) => settle(move, settlement));
  for (const [index, settlement] of request.settled.entries()) {
    if (settled[index] === "applied") queue.stats.record(settlement, move.now);
  }
  const knows = setOf(request.tasks);
  const moreParked = queue.phase === "open" && letKnownGo(move, knows);
  const { rows, more } = claimOnce(move, request, knows);
  if (!isStill(queue)) purgeDue(move, PURGED_PER_STEP + PURGED_PER_RUN * settled.length);
  return {
    settled,
    claimed: rows.flatMap((row) => (row.run === undefined ? [] : [claimedJob(row, row.run)])),
    more: more || (moreParked && !queue.paused),
    nextDue: nextDue(queue),
    revoked: revokedRuns(queue, request.owner),
    effects: move.effects,
  };
}

/** A repeat of a claim from before the queue began to leave is answered. */
function claimsAnew({ owners }: QueueState, asked: StepRequest): boolean {
  if (asked.claim === undefined || asked.claim.begin + asked.claim.ahead === 0) return false;
  return asked.request > (owners.get(asked.owner)?.lastRequest ?? -1);
}

/** Claims, or answers a claim that was made already. */
function claimOnce(move: Move, request: StepRequest, knows: ReadonlySet<string>): Claimed {
  const { queue } = move;
  if (request.claim === undefined) return { rows: [], more: !queue.paused && queue.ready.size > 0 };
  const owner = ownerOf(queue, request.owner);
  if (queue.phase !== "open" || request.request <= owner.lastRequest) {
    const rows = request.request === owner.lastRequest ? stillHeld(owner) : [];
    return { rows, more: !queue.paused && queue.ready.size > 0 };
  }
  openDueGates(move, knows);
  promote(move);
  const claimed = claim(move, { name: request.owner, owner, knows }, request.claim);
  owner.lastRequest = request.request;
  owner.lastClaim = claimed.rows.map((row) => ({ row, fence: row.fence }));
  return claimed;
}

function stillHeld({ lastClaim }: OwnerState): readonly JobRow[] {
  return lastClaim.flatMap(({ row, fence }) => (row.run?.fence === fence ? [row] : []));
}

/** Runs of an owner that a user has revoked. */
export function revokedRuns(queue: QueueState, owner: string): readonly RunReference[] {
  const rows = queue.owners.get(owner)?.revoked ?? [];
  return [...rows].flatMap(({ id, run }) => (run === undefined ? [] : [{ id, fence: run.fence }]));
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** Callers keep their array from call to call. */
function setOf(tasks: readonly string[]): ReadonlySet<string> {
  let set = sets.get(tasks);
  if (set === undefined) sets.set(tasks, (set = new Set(tasks)));
  return set;
}
