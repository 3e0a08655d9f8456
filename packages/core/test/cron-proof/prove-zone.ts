import { cron } from "../../src/schedule/cron.ts";
import { runsBetween } from "../schedule/runs.ts";
import { cases, type Case } from "./cases.ts";
import { runsOfWalk, runsOfYears, walk } from "./walk.ts";
import { day, hour, minute, transitions, wallClock, type Transition, type WallClock } from "./wall-clock.ts";

export interface ProofOptions {
  /** The first year, and the one after the last. */
  readonly years: readonly [from: number, to: number];
  /** Weeks at random, besides those around changes. */
  readonly weeks: number;
  /** Around how many of the changes, evenly chosen. @default all */
  readonly changes?: number;
}

export interface ZoneReport {
  readonly timeZone: string;
  readonly transitions: number;
  /** Minutes of clocks walked. */
  readonly minutes: number;
  /** Runs compared one by one. */
  readonly runs: number;
  /** Instants for which the next run was asked. */
  readonly questions: number;
  /** What differed: the expression, where, what was expected and what came. */
  readonly differences: readonly string[];
}

interface Tally {
  minutes: number;
  runs: number;
  questions: number;
  readonly differences: string[];
}

/** More than this many runs in a stretch of four days are asked for only near its middle: the change. */
const frequent = 600;

/** Compares cron with a walk of one zone's clock. Deterministic: what is random has the zone's name as its seed. */
export function proveZone(timeZone: string, { years, weeks, changes }: ProofOptions): ZoneReport {
  const [from, to] = [Date.UTC(years[0], 0, 1), Date.UTC(years[1], 0, 1)];
  const clock = wallClock(timeZone);
  const random = randomBy(timeZone);
  const found = transitions(clock, from, to);
  const tally: Tally = { minutes: 0, runs: 0, questions: 0, differences: [] };

  for (const [first, last] of stretches(evenly(found, changes ?? found.length))) {
    proveStretch(timeZone, clock, tally, random, first.instant - 2 * day, last.instant + 2 * day, found);
  }
  for (let week = 0; week < weeks; week += 1) {
    const start = from + Math.floor((random() * (to - from - 8 * day)) / hour) * hour;
    proveStretch(timeZone, clock, tally, random, start, start + 7 * day, found);
  }
  const offset = clock(from) - from;
  proveYears(timeZone, tally, found, { instant: from, before: offset, after: offset }, to);
  return { timeZone, transitions: found.length, ...tally };
}

/** Changes within three days of each other are walked as one stretch. */
function stretches(changes: readonly Transition[]): [Transition, Transition][] {
  const found: [Transition, Transition][] = [];
  for (const change of changes) {
    const last = found.at(-1);
    if (last !== undefined && change.instant - last[1].instant < 6 * day) last[1] = change;
    else found.push([change, change]);
  }
  return found;
}

function evenly<Item>(items: readonly Item[], count: number): Item[] {
  const step = Math.max(1, items.length / count);
  const chosen = new Set(
    Array.from({ length: Math.min(count, items.length) }, (_, n) => Math.floor(n * step)),
  );
  return items.filter((_, index) => chosen.has(index));
}

function proveStretch(
  timeZone: string,
  clock: WallClock,
  tally: Tally,
  random: () => number,
  from: number,
  to: number,
  changes: readonly Transition[],
): void {
  // A day more, so that the walk knows what was shown before.
  const walked = walk(clock, from - day, to);
  tally.minutes += walked.shown.length;
  const within = changes.filter(({ instant }) => instant > from && instant < to);
  for (const each of cases) {
    const all = runsOfWalk(each, walked).filter((run) => run > from && run <= to);
    const schedule = cron(each.expression, { timeZone });
    for (const [start, end] of closely(all.length, from, to, within)) {
      const expected = all.filter((run) => run > start && run <= end);
      compare(timeZone, each, tally, expected, runsBetween(schedule, start, end));
    }
    for (const asked of questions(random, from, to, within)) {
      const expected = all.find((run) => run > asked);
      if (expected === undefined) continue;
      tally.questions += 1;
      const came = schedule.next(new Date(asked))?.getTime();
      if (came !== expected) differ(timeZone, each, tally, `after ${iso(asked)}`, expected, came);
    }
  }
}

/** What runs every few seconds or minutes is compared run by run within four hours of a change, or on one day. */
function closely(
  count: number,
  from: number,
  to: number,
  changes: readonly Transition[],
): (readonly [number, number])[] {
  if (count <= frequent) return [[from, to]];
  if (changes.length === 0) return [[from, from + day]];
  return changes.map(({ instant }) => [Math.max(from, instant - 4 * hour), Math.min(to, instant + 4 * hour)]);
}

function* questions(
  random: () => number,
  from: number,
  to: number,
  changes: readonly Transition[],
): Generator<number> {
  for (let n = 0; n < 6; n += 1) yield Math.floor(from + random() * (to - from));
  for (const { instant, before, after } of changes) {
    const size = Math.min(Math.abs(after - before), day);
    for (const near of [instant - size, instant, instant + size]) yield* [near - 1, near, near + 1];
    yield Math.floor(instant - size + random() * 2 * size);
    yield instant - minute + Math.floor(random() * minute);
  }
}

/** What runs seldom, over all the years: there cron leaps over what is between. */
function proveYears(
  timeZone: string,
  tally: Tally,
  changes: readonly Transition[],
  start: Transition,
  to: number,
): void {
  const seldom = cases
    .filter((each) => runsAYear(each) <= mostAYear)
    .map((each) => ({ each, expected: runsOfYears(each, changes, start, to) }));
  for (let from = start.instant; from < to; from += decade) {
    // Case by case within a decade, since cron remembers the offsets of so many days.
    const end = Math.min(from + decade, to - 2 * day);
    for (const { each, expected } of seldom) {
      const due = expected.filter((run) => run > from && run <= end);
      compare(timeZone, each, tally, due, runsBetween(cron(each.expression, { timeZone }), from, end));
    }
  }
}

const decade = 3652 * day;
/** Weekly, and what runs at two minutes of a rare day. */
const mostAYear = 60;

function runsAYear({ seconds, minutes, hours, days, months, weekdays, together }: Case): number {
  const [byDay, byWeekday] = [days.length / 31, weekdays.length / 7];
  const share = together === "both" ? byDay * byWeekday : byDay + byWeekday;
  return (365 * share * seconds.length * minutes.length * hours.length * months.length) / 12;
}

function compare(
  timeZone: string,
  each: Case,
  tally: Tally,
  expected: readonly number[],
  came: readonly number[],
): void {
  tally.runs += expected.length;
  const length = Math.max(expected.length, came.length);
  for (let n = 0; n < length; n += 1) {
    if (expected[n] === came[n]) continue;
    differ(timeZone, each, tally, `after ${iso(expected[n - 1])}`, expected[n], came[n]);
    return;
  }
}

const mostTold = 20;

function differ(
  timeZone: string,
  { expression }: Case,
  { differences }: Tally,
  where: string,
  expected: number | undefined,
  came: number | undefined,
): void {
  if (differences.length >= mostTold) return;
  differences.push(`'${expression}' in ${timeZone} ${where}: expected ${iso(expected)}, got ${iso(came)}`);
}

function iso(instant: number | undefined): string {
  return instant === undefined ? "none" : new Date(instant).toISOString();
}

/** Numbers from 0 to 1 by mulberry32 (Tommy Ettinger, public domain), seeded with the sum of a text's letters. */
function randomBy(text: string): () => number {
  let state = 0;
  for (const letter of text) state = (Math.imul(state, 31) + (letter.codePointAt(0) ?? 0)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
