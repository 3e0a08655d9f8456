/** Which instants of a schedule to run. */
import type { Schedule } from "../schedule/schedule.js";
import type { Misfire } from "../vocabulary/task-options.js";

/** An instant fired later than this was missed, in milliseconds: a busy event loop is later than a timer says. */
export const MISFIRE_TOLERANCE = 10_000;

const MINUTE = 60_000;
/** How far back to look for the latest instants, one stretch after the other, in milliseconds. */
const STRETCHES = [MINUTE, 60 * MINUTE, 24 * 60 * MINUTE, 31 * 24 * 60 * MINUTE, 366 * 24 * 60 * MINUTE];
/** The most instants that `all` runs. */
const MOST_INSTANTS = 10_000;

export interface DueInstants {
  /** The latest instant that is due, if there is one. */
  readonly latest: number | undefined;
  /** Those to run, in order. */
  readonly run: readonly number[];
}

/** The instants after `last` and not after `now`, by the misfire policy. Epoch milliseconds. */
export function dueInstants(schedule: Schedule, last: number, now: number, misfire: Misfire): DueInstants {
  const wanted = typeof misfire === "object" ? Math.min(misfire.all, MOST_INSTANTS) : 1;
  const instants = latestInstants(schedule, last, now, wanted);
  const latest = instants.at(-1);
  if (latest === undefined) return { latest, run: [] };
  if (misfire === "skip" && now - latest > MISFIRE_TOLERANCE) return { latest, run: [] };
  return { latest, run: instants };
}

/** At most `count` of them, the latest. Years of missed minutes are not walked through. */
function latestInstants(schedule: Schedule, last: number, now: number, count: number): readonly number[] {
  for (const stretch of STRETCHES) {
    const from = now - stretch;
    if (from <= last) break;
    const found = instantsBetween(schedule, from, now, count);
    if (found.length >= count) return found;
  }
  return instantsBetween(schedule, last, now, count);
}

function instantsBetween(schedule: Schedule, after: number, until: number, count: number): number[] {
  const found: number[] = [];
  for (let at = next(schedule, after); at !== undefined && at <= until; at = next(schedule, at)) {
    found.push(at);
    // The early ones are let go as they come.
    if (found.length > 2 * count) found.splice(0, found.length - count);
  }
  return found.slice(-count);
}

function next(schedule: Schedule, after: number): number | undefined {
  const instant = schedule.next(new Date(after))?.getTime();
  // A rule that stood still would be walked for ever.
  return instant === undefined || instant <= after ? undefined : instant;
}

/** The first instant after this one. Epoch milliseconds. */
export { next as nextInstant };
