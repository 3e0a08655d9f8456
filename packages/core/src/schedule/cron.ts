import { epochMilliseconds } from "../duration.js";
import { refuseUnknown, unexpected } from "../options.js";
import { parseExpression } from "./cron-expression.js";
import { expressionOf, type CronFields } from "./cron-fields.js";
import { makeSchedule, type Schedule } from "./schedule.js";
import { wallTimes, type WallTimes } from "./wall-times.js";
import { zoneOf } from "./zone.js";
import { nextZonedTime, type ClockChangeRule } from "./zoned-times.js";

/** The options of `cron`. */
export interface CronOptions {
  /** An IANA zone. @default 'UTC' */
  readonly timeZone?: string;
}

/**
 * Five or six fields, names, ranges with steps, lists, `@daily` and kin; or an object, whose lower units default to 0.
 *
 * The fields are minute (0–59), hour (0–23), day of the month (1–31), month (1–12 or `jan`–`dec`) and weekday (0–7, both
 * ends Sunday, or `sun`–`sat`); of six, the second (0–59) comes first. Each is `*`, a value, a range or a list of such;
 * `*` and ranges take a step. If neither day nor weekday begins with `*`, either will do, else both must fit (Vixie cron).
 * Short forms: `@yearly` `@annually` `@monthly` `@weekly` `@daily` `@midnight` `@hourly`.
 *
 * When clocks change, a time that is skipped runs once, at the jump, and one that is repeated runs once, the first time.
 * An expression whose minute or hour has a `*` (or allows every value) follows elapsed time instead: it runs whenever
 * the clock shows such a time.
 *
 * @throws `TASKQ_CRON`
 * @example
 * cron('30 2 * * mon-fri', { timeZone: 'Europe/Paris' });
 * cron({ hour: [9, 17], weekday: 'mon-fri' });   // 09:00 and 17:00, UTC
 */
export function cron(expression: string | CronFields, options: CronOptions = {}): Schedule {
  refuseUnknown(options, ["timeZone"], "cron", "TASKQ_CRON");
  const { timeZone = "UTC" } = options;
  const zone = zoneOf(timeZone);
  const text = textOf(expression);
  const { times, rule } = parsed(text);
  return makeSchedule({ kind: "cron", expression: text, timeZone }, (after) => {
    const start = startOf(after);
    if (start >= lastStart) return undefined;
    const next = zone === undefined ? times(start) : nextZonedTime(times, zone, rule, start);
    return next === undefined ? undefined : new Date(next);
  });
}

function textOf(expression: unknown): string {
  if (typeof expression === "string") return expression;
  if (typeof expression === "object" && expression !== null) return expressionOf(expression);
  throw unexpected("cron", "an expression such as '0 3 * * *', or an object", expression, "TASKQ_CRON");
}

/** Offsets are only looked up from this year on: before it there was no cron, and no zones either. */
const firstStart = Date.UTC(1600, 0, 1);
/** And up to here, a day after the last wall time there is: a Date holds no more than 8.64e15. */
const lastStart = Date.UTC(10_000, 0, 2);

function startOf(after: Date): number {
  const start = epochMilliseconds(after, "after");
  if (start >= firstStart) return start;
  throw unexpected("after", "a Date from the year 1600 on", after);
}

interface Parsed {
  readonly times: WallTimes;
  readonly rule: ClockChangeRule;
}

// A stored schedule is read again and again.
const parsedBefore = new Map<string, Parsed>();
const mostRemembered = 1000;

function parsed(text: string): Parsed {
  const known = parsedBefore.get(text);
  if (known !== undefined) return known;
  const expression = parseExpression(text);
  const follows = expression.minute.elapsed || expression.hour.elapsed;
  const made: Parsed = { times: wallTimes(expression), rule: follows ? "elapsed" : "fixed" };
  if (parsedBefore.size >= mostRemembered) parsedBefore.clear();
  parsedBefore.set(text, made);
  return made;
}
