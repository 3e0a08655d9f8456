import type { Case } from "./cases.ts";
import { day, minute, type Transition, type WallClock } from "./wall-clock.ts";

/** Which wall times a case allows, as a walk asks it: minute by minute. */
interface Allowed {
  readonly onDay: (wallTime: number) => boolean;
  /** For each minute of a day whether it is allowed. */
  readonly minuteOfDay: readonly boolean[];
}

function allowedBy({ minutes, hours, days, months, weekdays, together }: Case): Allowed {
  return {
    minuteOfDay: Array.from(
      { length: 24 * 60 },
      (_, n) => hours.includes(Math.floor(n / 60)) && minutes.includes(n % 60),
    ),
    onDay(wallTime) {
      const date = new Date(wallTime);
      const byDay = days.includes(date.getUTCDate());
      const byWeekday = weekdays.includes(date.getUTCDay());
      const fits = together === "both" ? byDay && byWeekday : byDay || byWeekday;
      return fits && months.includes(date.getUTCMonth() + 1);
    },
  };
}

const startOfDay = (wallTime: number): number => Math.floor(wallTime / day) * day;

/** The allowed minutes from one wall time to another, both included. */
function allowedMinutes(allowed: Allowed, from: number, to: number): number[] {
  const found: number[] = [];
  for (let date = startOfDay(from); date <= to; date += day) {
    if (!allowed.onDay(date)) continue;
    const first = Math.max(0, (from - date) / minute);
    const last = Math.min(24 * 60 - 1, (to - date) / minute);
    for (let n = first; n <= last; n += 1) if (allowed.minuteOfDay[n] === true) found.push(date + n * minute);
  }
  return found;
}

/** What the clock of a zone showed at each minute of a stretch. */
export interface Walked {
  readonly from: number;
  readonly shown: readonly number[];
}

export function walk(clock: WallClock, from: number, to: number): Walked {
  const shown: number[] = [];
  for (let instant = from; instant <= to; instant += minute) shown.push(clock(instant));
  return { from, shown };
}

/**
 * The written rule, minute by minute. Fixed: a wall time runs when the clock first shows it or something later; what
 * was skipped runs at that minute, once. Elapsed: whatever the clock shows.
 */
export function runsOfWalk(each: Case, { from, shown }: Walked): number[] {
  const allowed = allowedBy(each);
  const onDay = new Map<number, boolean>();
  const allows = (wallTime: number): boolean => {
    const date = startOfDay(wallTime);
    if (allowed.minuteOfDay[(wallTime - date) / minute] !== true) return false;
    let known = onDay.get(date);
    if (known === undefined) onDay.set(date, (known = allowed.onDay(date)));
    return known;
  };
  const runs = new Set<number>();
  let latest = shown[0] ?? 0;
  for (const [index, wallTime] of shown.entries()) {
    if (index === 0) continue;
    const instant = from + index * minute;
    if (each.rule === "elapsed" || wallTime > latest) {
      if (each.rule === "fixed") {
        for (let skipped = latest + minute; skipped < wallTime; skipped += minute) {
          if (allows(skipped)) runs.add(instant);
        }
      }
      if (allows(wallTime)) for (const second of each.seconds) runs.add(instant + second * 1000);
    }
    latest = Math.max(latest, wallTime);
  }
  return [...runs];
}

/** The same rule over years, stretch by stretch between changes; for what runs seldom. */
export function runsOfYears(
  each: Case,
  changes: readonly Transition[],
  start: Transition,
  to: number,
): number[] {
  const allowed = allowedBy(each);
  const runs = new Set<number>();
  const stretches = [start, ...changes];
  let latest = start.instant + start.after;
  for (const [index, { instant, after }] of stretches.entries()) {
    const end = (stretches[index + 1]?.instant ?? to) + after - minute;
    let first = instant + after;
    if (each.rule === "fixed") {
      if (allowedMinutes(allowed, latest + minute, first - minute).length > 0) runs.add(instant);
      first = Math.max(first, latest + minute);
    }
    for (const wallTime of allowedMinutes(allowed, first, end)) {
      for (const second of each.seconds) runs.add(wallTime - after + second * 1000);
    }
    latest = Math.max(latest, end);
  }
  return [...runs].filter((run) => run > start.instant);
}
