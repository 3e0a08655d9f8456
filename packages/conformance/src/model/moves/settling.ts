/** The settlements of a step: which runs end, and how. */
import fc from "fast-check";
import type { Settlement, SettledOutcome } from "@taskq/core/storage";
import { bytes } from "../../bytes.js";
import { flow, index, KEYS, sometimes } from "../arbitraries.js";
import { describeShape, makeFlow, uniqueOf, type Shape } from "../shape.js";
import type { Pair, World } from "../world.js";

/** Higher than any that is given. */
export const UNKNOWN_FENCE: number = 2 ** 39;

export interface SettleAsked {
  readonly from: "held" | "any" | "unknown";
  readonly pick: number;
  readonly outcome: Exclude<SettledOutcome["kind"], "keyed">;
  readonly delay: number;
  readonly flag: boolean;
  readonly add: Shape | undefined;
}

export const settle: fc.Arbitrary<SettleAsked> = fc.record<SettleAsked>({
  from: fc.constantFrom("held", "held", "held", "held", "held", "held", "any", "any", "unknown"),
  pick: index,
  outcome: fc.constantFrom(
    "completed",
    "completed",
    "completed",
    "failed",
    "failed",
    "retry",
    "retry",
    "released",
    "postponed",
    "interrupted",
    "cancelled",
    "expired",
    "skipped",
    "quarantined",
  ),
  delay: fc.constantFrom(0, 1_000, 4_000),
  flag: fc.boolean(),
  add: sometimes(flow, 6),
});

export interface Settling {
  readonly run: { readonly id: string; readonly fence: Pair<number>; readonly begun?: boolean };
  readonly asked: SettleAsked;
  readonly settlement: Omit<Settlement, "fence">;
}

/** The settlement that is asked for, if there is a run to settle. */
export function prepare(world: World, owner: string, asked: SettleAsked): Settling | undefined {
  const run = pickRun(world, owner, asked);
  if (run === undefined) return undefined;
  const add =
    asked.add === undefined || asked.outcome !== "completed"
      ? undefined
      : [makeFlow(asked.add, { now: world.now, makeId: world.makeId, name: undefined, after: [] })];
  world.sent(add ?? [], "run");
  const isKeyed = world.spread?.isAtHome(run.id) ?? true;
  const outcome = outcomeOf(asked, { now: world.now, salt: world.runs.length, isKeyed });
  if (outcome.kind === "keyed") world.spread?.keyed(run.id);
  if (outcome.kind === "keyed" && outcome.unique !== undefined) world.uniques.add(run.id);
  return { run, asked, settlement: { id: run.id, startedAt: world.now, outcome, add } };
}

function pickRun(world: World, owner: string, { from, pick }: SettleAsked): Settling["run"] | undefined {
  if (from === "held") return world.pick(world.heldBy(owner), pick);
  if (from === "any") return world.pick(world.runs, pick);
  return { id: world.makeId(), fence: { reference: UNKNOWN_FENCE, tested: UNKNOWN_FENCE } };
}

function outcomeOf(
  { outcome, delay, flag, pick }: SettleAsked,
  { now, salt, isKeyed }: { readonly now: number; readonly salt: number; readonly isKeyed: boolean },
): SettledOutcome {
  const error = bytes(`error ${salt}`);
  switch (outcome) {
    case "completed":
      return { kind: outcome, result: flag ? bytes(`result ${salt}`) : undefined };
    case "failed":
    case "quarantined":
      return { kind: outcome, error };
    case "retry":
      return { kind: outcome, error: flag ? error : undefined, due: now + delay, counts: flag };
    case "postponed":
      return { kind: outcome, due: now + delay };
    case "released": {
      // Half of them with keys.
      const { gates, unique } = KEYS[pick % KEYS.length] ?? {};
      if (!flag || !isKeyed) return { kind: outcome };
      return { kind: "keyed", body: bytes(`keyed ${salt}`), gates, unique: uniqueOf(unique, now) };
    }
    case "cancelled":
    case "skipped":
      return { kind: outcome, reason: flag ? "reason" : "another reason" };
    default:
      return { kind: outcome };
  }
}

/** The settlement in a few words. */
export function describeSettling({ run, asked, settlement }: Settling): string {
  const adding =
    settlement.add === undefined || asked.add === undefined ? "" : ` adding ${describeShape(asked.add)}`;
  return `${run.id}@${run.fence.reference} ${asked.outcome}${adding}`;
}
