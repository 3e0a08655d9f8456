import type { Schedule } from "../../src/schedule/schedule.ts";

/** The instants of a schedule after `from`, up to and with `to`. */
export function runsBetween(schedule: Schedule, from: number, to: number): number[] {
  const runs: number[] = [];
  for (let at = schedule.next(new Date(from)); at !== undefined; at = schedule.next(at)) {
    const time = at.getTime();
    if (time > to) break;
    if (time <= (runs.at(-1) ?? from)) throw new Error(`no progress at ${at.toISOString()}`);
    runs.push(time);
  }
  return runs;
}

/** The first instants after a time, to the second, without `Z`. */
export function firstRuns(schedule: Schedule, after: string, count: number): string[] {
  const runs: string[] = [];
  let at: Date | undefined = new Date(after);
  while (runs.length < count) {
    at = schedule.next(at);
    if (at === undefined) break;
    runs.push(at.toISOString().slice(0, 19));
  }
  return runs;
}

const hour = 3_600_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock of the zone shows, as if it were UTC; asked of Intl each time. */
export function clockShows(timeZone: string, instant: number): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("sv-SE", {
      timeZone,
      dateStyle: "short",
      timeStyle: "medium",
    });
    formats.set(timeZone, format);
  }
  return Date.parse(`${format.format(instant).replace(" ", "T")}Z`);
}

/** The full hours of UTC within which the clocks of a zone change; by looking at every one of them. */
export function changingHours(timeZone: string, from: number, to: number): number[] {
  const found: number[] = [];
  for (let time = from; time < to; time += hour) {
    const before = clockShows(timeZone, time) - time;
    if (clockShows(timeZone, time + hour) - (time + hour) !== before) found.push(time);
  }
  return found;
}

export const zones: readonly string[] = [
  "UTC",
  "America/New_York",
  "Europe/Paris",
  "Australia/Lord_Howe",
  "Pacific/Chatham",
  "Africa/Casablanca",
  "Africa/Cairo",
  "America/Santiago",
  "Asia/Kolkata",
  "Asia/Tokyo",
];
