import { types } from "node:util";
import { TaskqError } from "./errors.js";
import { unexpected } from "./options.js";

/**
 * Milliseconds, or a number with its unit: `250`, `'250ms'`, `'30s'`, `'5m'`, `'1.5h'`, `'7d'`.
 *
 * Never negative; at most 100 years of 365 days; fractions of a millisecond are rounded. A day is 24 hours.
 */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** When a job becomes due: after a `delay`, or `at` an instant. Never both. */
export type When =
  | { readonly delay?: Duration; readonly at?: never }
  | { readonly at?: Date; readonly delay?: never };

/** The longest duration there is, in milliseconds: 100 years of 365 days. */
const longestDuration: number = 100 * 365 * 24 * 60 * 60 * 1000;

const unitMilliseconds: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const grammar = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * A duration as whole milliseconds.
 *
 * @param what names the option in the error, such as `retry delay`.
 * @throws `TASKQ_OPTION` for anything but a duration.
 * @example milliseconds('1.5h', 'timeout'); // 5_400_000
 */
export function milliseconds(duration: Duration, what: string): number {
  const exact = typeof duration === "number" ? duration : fromText(duration);
  if (exact === undefined || !Number.isFinite(exact) || exact < 0) {
    throw unexpected(what, "a duration such as 250, '30s' or '1.5h'", duration);
  }
  if (exact > longestDuration) {
    throw unexpected(what, "a duration of at most 100 years ('36500d')", duration);
  }
  return Math.round(exact);
}

function fromText(duration: unknown): number | undefined {
  if (typeof duration !== "string") return undefined;
  const [, amount, unit] = grammar.exec(duration) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Number(amount) * (unitMilliseconds[unit] ?? Number.NaN);
}

/** The epoch milliseconds of a Date. @throws `TASKQ_OPTION` for anything but a valid Date. */
export function epochMilliseconds(instant: Date, what: string): number {
  if (types.isDate(instant) && !Number.isNaN(instant.getTime())) return instant.getTime();
  throw unexpected(what, "a valid Date", instant);
}

/**
 * The instant at which something becomes due, in epoch milliseconds; `now` if `when` says nothing.
 *
 * An instant in the past is answered as it is.
 *
 * @throws `TASKQ_OPTION` for both of `delay` and `at`, a bad duration, an invalid Date.
 */
export function dueInstant(when: When, now: number, what: string): number {
  const { delay, at }: { readonly delay?: Duration; readonly at?: Date } = when;
  if (delay !== undefined && at !== undefined) {
    throw new TaskqError("TASKQ_OPTION", `${what}: expected either delay or at, got both`);
  }
  if (at !== undefined) return epochMilliseconds(at, `${what} at`);
  return delay === undefined ? now : now + milliseconds(delay, `${what} delay`);
}
