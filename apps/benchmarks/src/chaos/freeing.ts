import type { Deaths, Gate } from "./gates-verdict.js";
import { runName, type Records } from "./records.js";

/** What became of gates whose holder was killed. */
export interface Freeing {
  /** Dead holders. */
  readonly count: number;
  /** The longest time until a gate was free, in milliseconds, less the time at which no consumer was there. */
  readonly longest: number;
  /** Gates that were free too late: of their holders, by key. */
  readonly late: readonly string[];
}

/** A run is suspect once its lease is over, and is taken half a lease later. */
const LEASES = 1.5;
/** A consumer looks for what the dead hold every half of a lease, where it knows of no sooner instant. */
const PASS = 0.5;

/**
 * Judges how soon the gate of a dead holder was free: within a lease and a half and one pass, by the moment at which a
 * consumer was told that the run was taken. Then the gate is open; who comes next waits for a worker like anybody.
 *
 * @param options.lease in milliseconds
 * @param options.lateness how late the machine makes a process, in milliseconds: each of the two passes may be
 */
export function judgeFreeing(
  gateOf: ReadonlyMap<string, Gate>,
  records: Pick<Records, "runs" | "reaped" | "up">,
  deaths: Deaths,
  { lease, lateness }: { readonly lease: number; readonly lateness: number },
): Freeing {
  const lives = livesOf(records.up, deaths);
  const late: string[] = [];
  let count = 0;
  let longest = 0;
  for (const run of records.runs) {
    const death = deaths.get(run.consumer);
    const freed = records.reaped.get(runName(run));
    if (!gateOf.has(run.key) || death === undefined || freed === undefined) continue;
    const milliseconds = (freed - death - deserted(lives, death, freed)) / 1e6;
    count += 1;
    longest = Math.max(longest, milliseconds);
    if (milliseconds > (LEASES + PASS) * lease + 2 * lateness) late.push(run.key);
  }
  return { count, longest, late };
}

type Life = readonly [from: number, until: number];

function livesOf(up: ReadonlyMap<number, number>, deaths: Deaths): readonly Life[] {
  const lives = [...up].map(([consumer, from]): Life => [from, deaths.get(consumer) ?? Infinity]);
  return lives.toSorted(([a], [b]) => a - b);
}

/** How long nobody was alive from one instant to another. */
function deserted(lives: readonly Life[], from: number, until: number): number {
  let sum = 0;
  let covered = from;
  for (const [begin, end] of lives) {
    if (begin >= until) break;
    sum += Math.max(0, begin - covered);
    covered = Math.max(covered, end);
  }
  return sum + Math.max(0, until - covered);
}
