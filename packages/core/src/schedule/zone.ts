import { unexpected } from "../options.js";

/** A change of clocks: from `instant` on, wall clocks are `after` ms ahead of UTC, and were `before` ms. */
export interface ZoneChange {
  readonly instant: number;
  readonly before: number;
  readonly after: number;
}

/** The offsets of a time zone from UTC, in milliseconds; instants are epoch milliseconds. */
export interface Zone {
  offsetAt(instant: number): number;
  /** The first change after `from`, up to and with `to`. Looks at each day between: keep them close. */
  changeAfter(from: number, to: number): ZoneChange | undefined;
}

const dayLength = 86_400_000;
/** Zones and days remembered at most; all are forgotten at once then, which is simple and rare. */
const mostRemembered = 5000;

const zones = new Map<string, Zone>();

/** The zone of an IANA name, in any case of letters; none is kept for UTC. @throws `TASKQ_CRON` */
export function zoneOf(name: string): Zone | undefined {
  const key = typeof name === "string" ? name.toLowerCase() : "";
  if (key === "utc") return undefined;
  const known = zones.get(key);
  if (known !== undefined) return known;
  const zone = zoneBy(formatOf(name));
  if (zones.size >= mostRemembered) zones.clear();
  zones.set(key, zone);
  return zone;
}

function formatOf(name: string): Intl.DateTimeFormat {
  // Offsets such as '+02:00' are known to newer versions of Node only, and are no zone.
  if (typeof name === "string" && /^[a-z]/i.test(name)) {
    try {
      return new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        calendar: "gregory",
        numberingSystem: "latn",
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch {
      // It is refused below, with the words for it.
    }
  }
  throw unexpected("cron timeZone", "an IANA zone such as 'Europe/Paris'", name, "TASKQ_CRON");
}

/** What is known of one day of UTC. Never does a zone change twice within one. */
interface Day {
  readonly offset: number;
  readonly change: ZoneChange | undefined;
}

function zoneBy(format: Intl.DateTimeFormat): Zone {
  const days = new Map<number, Day>();

  function dayOf(instant: number): Day {
    const start = Math.floor(instant / dayLength) * dayLength;
    const known = days.get(start);
    if (known !== undefined) return known;
    const offset = measuredOffset(format, start);
    // From the end of the day before, so that a change at midnight UTC belongs to the day it begins.
    const change = changeWithin(format, start - 1, start + dayLength - 1);
    const day: Day = { offset, change };
    if (days.size >= mostRemembered) days.clear();
    days.set(start, day);
    return day;
  }

  return {
    offsetAt(instant) {
      const { offset, change } = dayOf(instant);
      return change !== undefined && instant >= change.instant ? change.after : offset;
    },
    changeAfter(from, to) {
      for (let day = from; ; day = Math.min(day + dayLength, to)) {
        const { change } = dayOf(day);
        if (change !== undefined && change.instant > from) {
          return change.instant <= to ? change : undefined;
        }
        if (day >= to) return undefined;
      }
    },
  };
}

/** Finds the change of a stretch that has one, by halving it. */
function changeWithin(format: Intl.DateTimeFormat, from: number, to: number): ZoneChange | undefined {
  const before = measuredOffset(format, from);
  const after = measuredOffset(format, to);
  if (before === after) return undefined;
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (measuredOffset(format, middle) === before) low = middle;
    else high = middle;
  }
  return { instant: high, before, after };
}

function measuredOffset(format: Intl.DateTimeFormat, instant: number): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(instant)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const wallTime = Date.UTC(year, month - 1, day, hour, minute, second);
  return wallTime - Math.floor(instant / 1000) * 1000;
}
