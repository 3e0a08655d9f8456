/** Settling ended runs: what the caller decided, if the right to the run is still his. */
import type { SettleAnswer, SettledOutcome, Settlement } from "@taskq/core/storage";
import { addFlows } from "./add-flows.js";
import { copyIfAny, copyOf } from "./bytes.js";
import { begin } from "./claim.js";
import { checkAdded, hasTakenId } from "./enqueue.js";
import { dueBefore, finish, finishUnasked, giveBack, type Ending } from "./finish.js";
import { giveStartsBack } from "./gates.js";
import { giveBackKeyed } from "./keyed.js";
import type { Move } from "./queue-state.js";
import type { JobRow, Run } from "./rows.js";
import { recordAttempt, runOf } from "./runs.js";

/** Throws what speaks against the flows that these settlements add, before anything is changed. */
export function checkSettlements(move: Move, settlements: readonly Settlement[]): void {
  const flows = settlements.flatMap(({ id, fence, outcome, add }) =>
    outcome.kind === "completed" && runOf(move.queue, id, fence) !== undefined ? (add ?? []) : [],
  );
  if (flows.length > 0) checkAdded(move, flows);
}

/** Outcomes that only a handler brings about: whoever says how it ended says that it began. */
const HANDLED: ReadonlySet<SettledOutcome["kind"]> = new Set(["completed", "failed", "retry", "interrupted"]);

/** Settles one run. */
export function settle(move: Move, settlement: Settlement): SettleAnswer {
  const { id, fence, outcome } = settlement;
  const held = runOf(move.queue, id, fence);
  if (held === undefined) return move.queue.jobOf(id)?.settledFence === fence ? "repeated" : "lost";
  const { row, run } = held;
  if (outcome.kind === "completed" && hasTakenId(move, settlement.add ?? [])) return "refused";
  row.settledFence = fence;
  if (HANDLED.has(outcome.kind)) begin(move, row, run);
  if (run.begun) row.startedAt = run.startedAt = settlement.startedAt;
  if (isUnfinished(outcome)) putBack(move, row, run, outcome);
  else {
    if (outcome.kind === "completed") addFlows(move, row, settlement.add ?? []);
    const error = "error" in outcome ? copyOf(outcome.error) : undefined;
    if (outcome.kind !== "completed" && run.begun) recordAttempt(move, row, run, error);
    finish(move, row, endingOf(outcome, error));
  }
  return "applied";
}

type Unfinished = Extract<
  SettledOutcome,
  { kind: "retry" | "released" | "postponed" | "keyed" | "interrupted" }
>;

const UNFINISHED: ReadonlySet<SettledOutcome["kind"]> = new Set<Unfinished["kind"]>([
  "retry",
  "released",
  "postponed",
  "keyed",
  "interrupted",
]);

function isUnfinished(outcome: SettledOutcome): outcome is Unfinished {
  return UNFINISHED.has(outcome.kind);
}

function endingOf(outcome: Exclude<SettledOutcome, Unfinished>, error: Uint8Array | undefined): Ending {
  switch (outcome.kind) {
    case "completed":
      return { state: "completed", bytes: copyIfAny(outcome.result) };
    case "failed":
    case "quarantined":
      return { state: outcome.kind, bytes: error };
    case "cancelled":
    case "skipped":
      return { state: outcome.kind, reason: outcome.reason };
    default:
      return { state: "expired" };
  }
}

/** The job is to run again, unless a user has revoked it meanwhile, or it may not. */
function putBack(move: Move, row: JobRow, run: Run, outcome: Unfinished): void {
  const ran = outcome.kind === "retry" || outcome.kind === "interrupted";
  if (ran) recordAttempt(move, row, run, outcome.kind === "retry" ? copyIfAny(outcome.error) : undefined);
  else {
    row.attempt -= 1;
    giveStartsBack(move, row, run.fence);
  }
  if (run.revoked) {
    finishUnasked(move, row, "cancelled", "revoked");
    return;
  }
  if (outcome.kind === "interrupted" && row.job.delivery === "at-most-once") {
    finishUnasked(move, row, "failed", "interrupted");
    return;
  }
  row.due = "due" in outcome ? outcome.due : dueBefore(move, row);
  if (outcome.kind === "keyed") return giveBackKeyed(move, row, outcome);
  if (outcome.kind === "retry" && outcome.counts) row.failures += 1;
  giveBack(move, row);
}
