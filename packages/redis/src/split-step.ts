/**
 * A step that settles many alike and some otherwise, in two calls: those who go the long way of the script would take all others with
 * them, and what is claimed.
 */
import type { SettleAnswer, Settlement, StepAnswer, StepRequest } from "@taskq/core/storage";
import type { HangingRuns } from "./hanging-runs.js";
import { goesLong } from "./wire/requests.js";

/** Fewer jobs that could go the short way are not worth a call of their own. */
const WORTH = 16;

export interface SplitStep {
  /** Goes the long way, and first: it claims nothing. */
  readonly seldom: StepRequest;
  readonly usual: StepRequest;
  /** Of what the first one settles, the places in the step as it was asked for. */
  readonly places: readonly number[];
}

/** What makes of a step two. */
export interface Splitting {
  /** Whether there is anything else to write that goes the long way. */
  readonly hasMore: boolean;
  /** Runs that go the long way, however they end. */
  readonly hanging: HangingRuns;
  /** Whether most of what is claimed goes the short way. */
  readonly claimsShort: boolean;
}

function isNone(): boolean {
  return false;
}

/** `undefined`: it is sent as it is. */
export function splitStep(request: StepRequest, splitting: Splitting): SplitStep | undefined {
  const { hasMore, hanging, claimsShort } = splitting;
  const hangs = hanging.isEmpty ? isNone : (id: string) => hanging.has(id);
  const { settled, begun, claim, last } = request;
  if (claim?.ids !== undefined || last === true) return undefined;
  const places: number[] = [];
  for (let place = 0; place < settled.length; place += 1) {
    const settlement = settled[place] as Settlement;
    if (goesLong(settlement) || hangs(settlement.id)) places.push(place);
  }
  if (places.length === 0 && !hasMore && !begun.some(({ id }) => hangs(id))) return undefined;
  const asked = claim === undefined || !claimsShort ? 0 : claim.begin + claim.ahead;
  const others = settled.length - places.length + asked;
  if (others < WORTH) return undefined;
  const seldom = new Set(places.map((place) => settled[place] as Settlement));
  const ids = new Set(Array.from(seldom, ({ id }) => id));
  const usual = settled.filter((settlement) => !seldom.has(settlement));
  // A run that is settled twice ends as it was settled first.
  if (usual.some(({ id }) => ids.has(id))) return undefined;
  return {
    seldom: {
      ...request,
      settled: [...seldom],
      begun: begun.filter(({ id }) => ids.has(id) || hangs(id)),
      claim: undefined,
    },
    usual: {
      ...request,
      settled: usual,
      begun: begun.filter(({ id }) => !ids.has(id) && !hangs(id)),
    },
    places,
  };
}

/** The answers of both, in the order of the step as it was asked for. */
export function answersOf(
  places: readonly number[],
  seldom: StepAnswer,
  usual: StepAnswer,
): readonly SettleAnswer[] {
  if (places.length === 0) return usual.settled;
  const answers: SettleAnswer[] = [];
  let [first, second] = [0, 0];
  for (let place = 0; place < seldom.settled.length + usual.settled.length; place += 1) {
    if (places[first] === place) answers.push(seldom.settled[first++] as SettleAnswer);
    else answers.push(usual.settled[second++] as SettleAnswer);
  }
  return answers;
}
