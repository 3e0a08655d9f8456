import { milliseconds, type Duration } from "./duration.js";
import { TaskqError } from "./errors.js";
import { ignoreRejection } from "./ignore-rejection.js";
import { finiteNumber, oneOf, refuseUnknown, shown, unexpected } from "./options.js";

/** The pause before the retry that follows this attempt. */
export type Backoff = (failure: FailedAttempt) => Duration;

/** What a backoff is told. */
export interface FailedAttempt {
  /** 1 for the first. Runs that ended with `Retry`, or were lost with their consumer, do not count. */
  readonly attempt: number;
  readonly error: unknown;
}

/** A backoff that is data underneath, so that it can be stored with one job. */
export interface BackoffPolicy {
  (failure: FailedAttempt): Duration;
  readonly kind: "fixed" | "linear" | "exponential";
}

/** Spreads retries, so that jobs which failed together do not come back together. */
export interface JitterOption {
  /**
   * `full`: anywhere between 0 and the pause. `equal`: between half of it and all of it. The names and the formulas are
   * those of "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
   *
   * @default 'none'
   */
  readonly jitter?: Jitter;
}

/** The options of `linear`. */
export interface LinearBackoff extends JitterOption {
  /** The first pause. @default '1s' */
  readonly base?: Duration;
  /** What each pause is longer than the one before. @default `base` */
  readonly step?: Duration;
  /** The longest pause. @default '1h' */
  readonly max?: Duration;
}

/** The options of `exponential`. */
export interface ExponentialBackoff extends JitterOption {
  /** The first pause. @default '1s' */
  readonly base?: Duration;
  /** What each pause is multiplied by; at least 1. @default 2 */
  readonly factor?: number;
  /** The longest pause. @default '1h' */
  readonly max?: Duration;
}

type Jitter = "none" | "equal" | "full";

/** What a policy is underneath: JSON, all durations in milliseconds. */
export type BackoffData =
  | { readonly kind: "fixed"; readonly base: number; readonly jitter: Jitter }
  | {
      readonly kind: "linear";
      readonly base: number;
      readonly step: number;
      readonly max: number;
      readonly jitter: Jitter;
    }
  | {
      readonly kind: "exponential";
      readonly base: number;
      readonly factor: number;
      readonly max: number;
      readonly jitter: Jitter;
    };

/** A number from 0 up to but not 1, as `Math.random` answers it. */
export type RandomSource = () => number;

/**
 * The same pause each time.
 *
 * @throws `TASKQ_OPTION`
 * @example fixed('5s', { jitter: 'equal' }); // 2.5 to 5 seconds
 */
export function fixed(delay: Duration, options: JitterOption = {}): BackoffPolicy {
  refuseUnknown(options, ["jitter"], "fixed");
  return policyOf({
    kind: "fixed",
    base: milliseconds(delay, "fixed delay"),
    jitter: jitterOf(options, "fixed"),
  });
}

/**
 * `base`, `base + step`, `base + 2 × step`, … up to `max`.
 *
 * @throws `TASKQ_OPTION`
 * @example linear({ base: '10s', step: '5s', max: '1m' }); // 10, 15, 20, … 60, 60 seconds
 */
export function linear(options: LinearBackoff = {}): BackoffPolicy {
  refuseUnknown(options, ["base", "step", "max", "jitter"], "linear");
  const { base: first = "1s" } = options;
  const base = milliseconds(first, "linear base");
  return policyOf({
    kind: "linear",
    base,
    step: options.step === undefined ? base : milliseconds(options.step, "linear step"),
    max: maxOf(options.max, base, "linear"),
    jitter: jitterOf(options, "linear"),
  });
}

/**
 * `base`, `base × factor`, `base × factor²`, … up to `max`: the n-th pause is base × factor^(n−1).
 *
 * @throws `TASKQ_OPTION`
 * @example exponential({ base: '2s', factor: 3, max: '1m' }); // 2, 6, 18, 54, 60, 60 seconds
 */
export function exponential(options: ExponentialBackoff = {}): BackoffPolicy {
  refuseUnknown(options, ["base", "factor", "max", "jitter"], "exponential");
  const { base: first = "1s", factor = 2 } = options;
  const base = milliseconds(first, "exponential base");
  return policyOf({
    kind: "exponential",
    base,
    factor: finiteNumber(factor, "exponential factor", { min: 1 }),
    max: maxOf(options.max, base, "exponential"),
    jitter: jitterOf(options, "exponential"),
  });
}

function jitterOf({ jitter = "none" }: JitterOption, what: string): Jitter {
  return oneOf(jitter, ["none", "equal", "full"], `${what} jitter`);
}

function maxOf(max: Duration | undefined, base: number, what: string): number {
  if (max !== undefined) return milliseconds(max, `${what} max`);
  const usual = milliseconds("1h", `${what} max`);
  // Else every pause would silently be shorter than the base that was asked for.
  if (base > usual) {
    throw new TaskqError("TASKQ_OPTION", `${what}: a base longer than '1h' needs a max`);
  }
  return usual;
}

// Registered, so that a policy made by another copy of this package is known as well.
const underneath: unique symbol = Symbol.for("taskq.backoff");
interface WithData extends BackoffPolicy {
  readonly [underneath]?: BackoffData;
}

function policyOf(data: BackoffData, random: RandomSource = Math.random): BackoffPolicy {
  const delay = ({ attempt }: FailedAttempt): number => pauseAfter(data, attempt, random);
  const policy: WithData = Object.assign(delay, { kind: data.kind, [underneath]: Object.freeze(data) });
  return Object.freeze(policy);
}

/** The pause in whole milliseconds that this data makes of an attempt. */
function pauseAfter(data: BackoffData, attempt: number, random: RandomSource): number {
  const pause = pauseWithoutJitter(data, Math.max(attempt, 1) - 1);
  if (data.jitter === "none") return Math.round(pause);
  const least = data.jitter === "equal" ? pause / 2 : 0;
  return Math.round(least + random() * (pause - least));
}

function pauseWithoutJitter(data: BackoffData, before: number): number {
  // The power below overflows to Infinity, and 0 × Infinity is no number.
  if (data.kind === "fixed" || (data.kind === "exponential" && data.base === 0)) return data.base;
  const growing = data.kind === "linear" ? data.base + data.step * before : data.base * data.factor ** before;
  return Math.min(growing, data.max);
}

/**
 * The data under a policy, fit for JSON; a bare duration is a fixed pause.
 *
 * @throws `TASKQ_OPTION` for a bare function, which cannot be stored.
 */
export function backoffData(backoff: Duration | BackoffPolicy): BackoffData {
  if (typeof backoff !== "function") {
    return { kind: "fixed", base: milliseconds(backoff, "backoff"), jitter: "none" };
  }
  const policy: WithData = backoff;
  const data = policy[underneath];
  if (data !== undefined) return data;
  throw new TaskqError(
    "TASKQ_OPTION",
    "backoff: expected a duration, or what fixed, linear or exponential made, " +
      "because it is stored with the job; got a bare function",
  );
}

/**
 * The policy that `backoffData` was taken from.
 *
 * @param random replaces `Math.random` in tests.
 * @throws `TASKQ_OPTION` for data that no policy is made of.
 */
export function backoffFromData(data: BackoffData, random?: RandomSource): BackoffPolicy {
  const { kind } = data;
  switch (kind) {
    case "fixed":
      return policyOf(backoffData(fixed(data.base, { jitter: data.jitter })), random);
    case "linear": {
      const { base, step, max, jitter } = data;
      return policyOf(backoffData(linear({ base, step, max, jitter })), random);
    }
    case "exponential": {
      const { base, factor, max, jitter } = data;
      return policyOf(backoffData(exponential({ base, factor, max, jitter })), random);
    }
    default:
      throw unexpected("stored backoff", "a known kind of backoff", kind satisfies never);
  }
}

/**
 * The pause before the retry that follows a failed attempt, in whole milliseconds; without a backoff 0.
 *
 * @throws `TASKQ_OPTION` when a bare function answers no duration; whatever it throws itself.
 */
export function retryPause(backoff: Duration | Backoff | undefined, failure: FailedAttempt): number {
  if (backoff === undefined) return 0;
  if (typeof backoff !== "function") return milliseconds(backoff, "backoff");
  const pause: unknown = backoff(failure);
  ignoreRejection(pause);
  return milliseconds(pause as Duration, "what the backoff answered");
}

/** Checks the option `backoff` of a task. @throws `TASKQ_OPTION` */
export function checkBackoff(backoff: Duration | Backoff, what: string): void {
  if (typeof backoff === "function") return;
  if (typeof backoff !== "number" && typeof backoff !== "string") {
    throw new TaskqError("TASKQ_OPTION", `${what}: expected a duration or a function, got ${shown(backoff)}`);
  }
  milliseconds(backoff, what);
}
