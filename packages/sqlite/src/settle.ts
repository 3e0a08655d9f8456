import { splitId, type IdParts, type SettleAnswer, type Settlement } from "@taskq/core/storage";
import { addFlows } from "./add-flows.js";
import { followConsequences } from "./consequences.js";
import { becameFinal, freeOnStart, leaveRun, recordAttempt } from "./final.js";
import { giveStartsBack } from "./limits.js";
import { giveBackKeyed } from "./keyed.js";
import { hasTakenId } from "./known-flow.js";
import { dueBefore } from "./line.js";
import type { Move } from "./move.js";
import {
  ACTIVE,
  AT_MOST_ONCE,
  CANCELLED,
  COMPLETED,
  EXPIRED,
  FAILED,
  GATED,
  QUARANTINED,
  READY,
  REVOKED,
  SCHEDULED,
  SKIPPED,
  UNBEGUN,
  UNIQUE,
  VERDICT,
  type Row,
} from "./row.js";
import { jobById } from "./rows.js";
import { skipIfDead } from "./skip-dead.js";

/** A row that nothing hangs on: neither edges nor gates, keys or a revocation. */
const SETTLE_PLAIN =
  "UPDATE {jobs} SET state = 5, settled = NULL, result = ?, started = ?, ended = ?, flags = flags & -1025 " +
  "WHERE key = (? << 21) | ? AND state = 4 AND fence = ? AND random = ? AND flags & 511 = 0";

/** The same, put aside before its handler was called: nothing is told of the run. */
const QUARANTINE_PLAIN =
  "UPDATE {jobs} SET state = 10, settled = NULL, result = ?, ended = ?, flags = flags & -1025 " +
  "WHERE key = (? << 21) | ? AND state = 4 AND fence = ? AND random = ? AND flags & 1535 = 1024";

/** Outcomes that only a handler brings about. */
const HANDLED: ReadonlySet<string> = new Set(["completed", "failed", "retry", "interrupted"]);

/** Settles one run. */
export function settle(move: Move, settlement: Settlement): SettleAnswer {
  const { outcome } = settlement;
  if (
    outcome.kind === "completed" &&
    settlement.add === undefined &&
    settlePlain(move, settlement, outcome.result)
  ) {
    return "applied";
  }
  if (outcome.kind === "quarantined" && quarantinePlain(move, settlement, outcome.error)) return "applied";
  const row = jobById(move.scope.connection, move.queue, settlement.id);
  if (row === undefined) return "lost";
  if (row.settled === settlement.fence) return "repeated";
  if (row.fence !== settlement.fence) return "lost";
  if (row.state !== ACTIVE) return "repeated";
  if (outcome.kind === "completed" && hasTakenId(move, settlement.add ?? [])) return "refused";
  apply(move, row, settlement);
  return "applied";
}

function settlePlain(move: Move, settlement: Settlement, result: Uint8Array | undefined): boolean {
  const parts = splitId(settlement.id);
  if (parts === undefined) return false;
  const { changes } = move
    .sql(SETTLE_PLAIN)
    .run(
      result ?? null,
      settlement.startedAt,
      move.now,
      parts.time,
      parts.low,
      settlement.fence,
      parts.random,
    );
  return changes > 0 && endedPlain(move, settlement, parts, COMPLETED);
}

function quarantinePlain(move: Move, settlement: Settlement, error: Uint8Array): boolean {
  const parts = splitId(settlement.id);
  if (parts === undefined) return false;
  const { changes } = move
    .sql(QUARANTINE_PLAIN)
    .run(error, move.now, parts.time, parts.low, settlement.fence, parts.random);
  return changes > 0 && endedPlain(move, settlement, parts, QUARANTINED);
}

function endedPlain(move: Move, { id, fence }: Settlement, parts: IdParts, state: number): true {
  move.count(state);
  move.ended.push(parts);
  move.runEnded(fence);
  if (move.queue.watchers.size > 0) move.becameFinal(id);
  return true;
}

function apply(move: Move, row: Row, settlement: Settlement): void {
  const { outcome } = settlement;
  // Whoever says how a handler ended says that it began; the other outcomes may be those of a run that never did.
  const begun = (row.flags & UNBEGUN) === 0 || HANDLED.has(outcome.kind);
  const startedAt = begun ? settlement.startedAt : row.started;
  if (begun && (row.flags & UNIQUE) !== 0) freeOnStart(move, row);
  switch (outcome.kind) {
    case "completed":
      if (settlement.add !== undefined) {
        // Whoever waits for a key that is free by now comes before what is added.
        followConsequences(move);
        addFlows(move, row, settlement.add);
      }
      end(move, row, COMPLETED, { startedAt, bytes: outcome.result });
      return;
    case "failed":
    case "quarantined":
      if (begun) recordAttempt(move, row, { startedAt: settlement.startedAt, error: outcome.error });
      end(move, row, outcome.kind === "failed" ? FAILED : QUARANTINED, { startedAt, bytes: outcome.error });
      return;
    case "cancelled":
    case "skipped":
      if (begun) recordAttempt(move, row, { startedAt: settlement.startedAt, error: undefined });
      end(move, row, outcome.kind === "skipped" ? SKIPPED : CANCELLED, { startedAt, reason: outcome.reason });
      return;
    case "expired":
      if (begun) recordAttempt(move, row, { startedAt: settlement.startedAt, error: undefined });
      end(move, row, EXPIRED, { startedAt });
      return;
    case "interrupted":
      if (begun) recordAttempt(move, row, { startedAt: settlement.startedAt, error: undefined });
      if ((row.flags & (AT_MOST_ONCE | REVOKED)) === AT_MOST_ONCE)
        endUnasked(move, row, FAILED, { startedAt, reason: "interrupted" });
      else giveBack(move, row, { due: dueBefore(move, row), failures: 0, startedAt });
      return;
    case "retry":
      if (begun) recordAttempt(move, row, { startedAt: settlement.startedAt, error: outcome.error });
      giveBack(move, row, { due: outcome.due, failures: outcome.counts ? 1 : 0, startedAt });
      return;
    case "released":
      row.attempt -= 1;
      if ((row.flags & GATED) !== 0) giveStartsBack(move, row);
      giveBack(move, row, { due: dueBefore(move, row), failures: 0, startedAt });
      return;
    case "postponed":
      row.attempt -= 1;
      if ((row.flags & GATED) !== 0) giveStartsBack(move, row);
      giveBack(move, row, { due: outcome.due, failures: 0, startedAt });
      return;
    case "keyed":
      row.attempt -= 1;
      if ((row.flags & GATED) !== 0) giveStartsBack(move, row);
      // Whoever waits for a key that is free by now comes before it.
      followConsequences(move);
      if ((row.flags & REVOKED) !== 0) endUnasked(move, row, CANCELLED, { startedAt, reason: "revoked" });
      else giveBackKeyed(move, row, outcome, startedAt);
  }
}

interface End {
  readonly startedAt: number | null;
  readonly bytes?: Uint8Array | undefined;
  readonly reason?: string;
}

/** The run ended the job. */
function end(move: Move, row: Row, state: number, how: End): void {
  row.state = state;
  row.reason = how.reason ?? null;
  row.started = how.startedAt ?? row.started;
  row.ended = move.now;
  row.flags &= ~(UNBEGUN | VERDICT);
  move
    .sql(
      "UPDATE {jobs} SET state = ?, settled = NULL, result = ?, reason = ?, started = ?, ended = ?, flags = ?, attempt = ? WHERE key = ?",
    )
    .run(state, how.bytes ?? null, row.reason, row.started, move.now, row.flags, row.attempt, row.key);
  becameFinal(move, row, ACTIVE);
}

/** The job ended otherwise than the caller asked for. */
function endUnasked(move: Move, row: Row, state: number, how: End): void {
  end(move, row, state, how);
  move.effect(row, state === FAILED ? "failed" : "cancelled", row);
}

interface GivenBack {
  readonly due: number;
  readonly failures: number;
  readonly startedAt: number | null;
}

/** The job waits again; one that a user has revoked meanwhile is cancelled. */
function giveBack(move: Move, row: Row, how: GivenBack): void {
  if ((row.flags & REVOKED) !== 0) {
    endUnasked(move, row, CANCELLED, { startedAt: how.startedAt, reason: "revoked" });
    return;
  }
  const later = how.due > move.now ? how.due : null;
  row.state = later === null ? READY : SCHEDULED;
  row.due = how.due;
  row.later = later;
  row.flags &= ~(UNBEGUN | VERDICT);
  move
    .sql(
      "UPDATE {jobs} SET state = ?, due = ?, later = ?, failures = failures + ?, attempt = ?, settled = fence, " +
        "started = coalesce(?, started), flags = ? WHERE key = ?",
    )
    .run(row.state, how.due, later, how.failures, row.attempt, how.startedAt, row.flags, row.key);
  leaveRun(move, row, ACTIVE);
  if (!skipIfDead(move, row)) move.becameReady();
}
