import { epochMilliseconds, milliseconds, type Duration } from "../duration.js";
import { unexpected } from "../options.js";
import { makeSchedule, type Schedule } from "./schedule.js";

/** The last instant that a Date can hold (ECMA-262, "Time Values and Time Range"). */
const lastInstant = 8.64e15;

/**
 * At every multiple of the interval since the epoch, so that all processes agree; `every('1d')` is midnight UTC, and
 * `every('7d')` a Thursday. For another midnight take `cron`.
 *
 * @throws `TASKQ_OPTION` for anything but a duration of at least a millisecond.
 * @example every('15m').next(new Date('2026-01-01T10:07:00Z')); // 10:15
 */
export function every(interval: Duration): Schedule {
  const step = milliseconds(interval, "every");
  if (step < 1) throw unexpected("every", "a duration of at least 1 ms", interval);
  const expression = typeof interval === "number" ? `${interval}ms` : interval;
  return makeSchedule({ kind: "every", expression }, (after) => {
    const next = (Math.floor(epochMilliseconds(after, "after") / step) + 1) * step;
    return next > lastInstant ? undefined : new Date(next);
  });
}
