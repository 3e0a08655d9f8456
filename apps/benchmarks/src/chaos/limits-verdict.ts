import { runName, type RecordedClaim, type Records } from "./records.js";

/** So many starts in any window of so many milliseconds. */
export interface Limit {
  readonly name: string;
  readonly max: number;
  readonly per: number;
}

/** What was found of limits; each list must be empty. */
export interface LimitsVerdict {
  /** Starts that came too soon: of jobs, by key. */
  readonly exceeded: readonly string[];
  /** Runs whose claim nobody wrote down, and claims that were not made when the storage says. */
  readonly unproven: readonly string[];
  readonly starts: number;
  /**
   * Starts there were, of those that the limit allowed in the time: of the limit that was used least. Nothing of limits
   * with so few starts that one killed consumer decides it.
   */
  readonly leastUsed: number | undefined;
}

interface Start {
  /** Of the job. */
  readonly key: string;
  readonly at: number;
}

/** How far two clocks of one machine may be apart, in milliseconds. */
const CLOCK_SLACK = 2;
/** The last starts are left out of how much a limit was used: what a killed consumer held comes late. */
const MEASURED_SHARE = 0.9;
/** With fewer starts of a limit, nothing is said of how much it was used. */
const MEASURED_FROM = 50;

/**
 * Judges limits by the claims. What counts as a start is the claim, by the storage's clock, which must lie between
 * asking and being answered by the machine's clock; whether or not the handler then ran, unless it was given back.
 *
 * @param limited keys and limits of jobs, by id
 */
export function judgeLimits(
  limited: ReadonlyMap<string, { readonly key: string; readonly limit: Limit }>,
  { claims, runs }: Pick<Records, "claims" | "runs">,
): LimitsVerdict {
  const byLimit = new Map<string, { limit: Limit; starts: Start[] }>();
  const unproven = runs
    .filter((run) => limited.has(run.id) && !claims.has(runName(run)))
    .map(({ key }) => key);
  for (const claim of claims.values()) {
    const job = limited.get(claim.id);
    if (job === undefined || claim.released) continue;
    const { key, limit } = job;
    if (!isWithinItsCall(claim)) unproven.push(key);
    const known = byLimit.get(limit.name) ?? { limit, starts: [] };
    known.starts.push({ key, at: claim.at });
    byLimit.set(limit.name, known);
  }
  const exceeded: string[] = [];
  let starts = 0;
  const shares: number[] = [];
  for (const { limit, starts: ofLimit } of byLimit.values()) {
    ofLimit.sort((a, b) => a.at - b.at);
    exceeded.push(...tooSoon(limit, ofLimit));
    starts += ofLimit.length;
    if (ofLimit.length >= MEASURED_FROM) shares.push(used(limit, ofLimit));
  }
  return { exceeded, unproven, starts, leastUsed: shares.length === 0 ? undefined : Math.min(...shares) };
}

function isWithinItsCall({ at, askedAt, answeredAt }: RecordedClaim): boolean {
  return at >= askedAt - CLOCK_SLACK && at <= answeredAt + CLOCK_SLACK;
}

function tooSoon({ max, per }: Limit, starts: readonly Start[]): string[] {
  return starts
    .filter(({ at }, index) => {
      const before = starts[index - max];
      return before !== undefined && at - before.at < per;
    })
    .map(({ key }) => key);
}

function used({ max, per }: Limit, starts: readonly Start[]): number {
  const measured = starts.slice(0, Math.ceil(starts.length * MEASURED_SHARE));
  const [first] = measured;
  const last = measured.at(-1);
  if (first === undefined || last === undefined) return 0;
  const windows = Math.floor((last.at - first.at) / per) + 1;
  return measured.length / (windows * max);
}
