import { checkBackoff, fixed, type Backoff, type FailedAttempt } from "./backoff.js";
import { milliseconds, type Duration } from "./duration.js";
import { checkedKeep, type CheckedKeep } from "./keep.js";
import { callable, integer, oneOf, refuseUnknown, shortText, unexpected } from "./options.js";
import type {
  ConcurrencyPolicy,
  Key,
  LimitPolicy,
  LockPolicy,
  TaskOptions,
  UniqueOptions,
} from "./vocabulary/task-options.js";

/** The options of a task, checked; `undefined`: not said, so that the queue's defaults are asked. */
export interface CheckedOptions {
  readonly retries: number | undefined;
  readonly backoff: Backoff | undefined;
  readonly retryWhen: ((failure: FailedAttempt) => boolean) | undefined;
  readonly timeoutMs: number | undefined;
  readonly priority: number | undefined;
  readonly expiresMs: number | undefined;
  readonly unique: CheckedUnique | undefined;
  readonly lock: CheckedLock | undefined;
  readonly limit: CheckedLimit | undefined;
  readonly concurrency: CheckedConcurrency | undefined;
  readonly delivery: "at-least-once" | "at-most-once" | undefined;
  readonly isolate: "none" | "thread" | "process" | undefined;
  readonly keep: CheckedKeep | undefined;
  readonly results: "keep" | "none" | undefined;
  readonly version: number | undefined;
}

/** What a function makes of an input is checked when it is called. */
export type CheckedKey = string | ((input: unknown) => unknown);

/** `key` `undefined`: a hash of the encoded input. `while` in milliseconds where it is a time. */
export interface CheckedUnique {
  readonly key: CheckedKey | undefined;
  readonly while: "waiting" | "unfinished" | number;
  readonly onConflict: "ignore" | "replace";
}

export interface CheckedLock {
  readonly key: CheckedKey;
  readonly onBusy: "wait" | "skip" | "fail";
}

/** `key` `undefined`: the name of the task. */
export interface CheckedLimit {
  readonly key: CheckedKey | undefined;
  readonly max: number;
  readonly perMs: number;
  readonly onLimit: "wait" | "drop" | "fail";
}

/** `key` `undefined`: the name of the task. */
export interface CheckedConcurrency {
  readonly key: CheckedKey | undefined;
  readonly max: number;
}

/** The names of all options of a task, but for its schema. */
export const taskOptionNames: readonly (keyof TaskOptions)[] = [
  "retries",
  "backoff",
  "retryWhen",
  "timeout",
  "priority",
  "expires",
  "unique",
  "lock",
  "limit",
  "concurrency",
  "delivery",
  "isolate",
  "keep",
  "results",
  "version",
];

/** The most starts in a window of a limit: a storage remembers each of them. */
export const LARGEST_LIMIT = 10_000;
/** Characters of a key at most, fixed or made from an input. */
export const LONGEST_KEY = 255;
const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };

/**
 * The options, checked. Names are not: `refuseUnknown` with what the caller takes beside these.
 *
 * @param what names the options in errors, such as `task 'add'`.
 * @throws `TASKQ_OPTION`
 */
export function checkedOptions(options: TaskOptions<never>, what: string): CheckedOptions {
  const of = (name: keyof TaskOptions): string => `${what} ${name}`;
  return Object.freeze({
    retries: given(options.retries, (retries) => integer(retries, of("retries"), { min: 0 })),
    backoff: given(options.backoff, (backoff) => checkedBackoff(backoff, of("backoff"))),
    retryWhen: given(options.retryWhen, (decide) => callable(decide, of("retryWhen"))),
    timeoutMs: given(options.timeout, (timeout) => positive(timeout, of("timeout"))),
    priority: given(options.priority, (priority) => integer(priority, of("priority"), INT32)),
    expiresMs: given(options.expires, (expires) => milliseconds(expires, of("expires"))),
    unique: given(options.unique, (unique) => checkedUnique(unique, of("unique"))),
    lock: given(options.lock, (lock) => checkedLock(lock, of("lock"))),
    limit: given(options.limit, (limit) => checkedLimit(limit, of("limit"))),
    concurrency: given(options.concurrency, (policy) => checkedConcurrency(policy, of("concurrency"))),
    delivery: given(options.delivery, (delivery) =>
      oneOf(delivery, ["at-least-once", "at-most-once"], of("delivery")),
    ),
    isolate: given(options.isolate, (isolate) =>
      oneOf(isolate, ["none", "thread", "process"], of("isolate")),
    ),
    keep: given(options.keep, (keep) => checkedKeep(keep, of("keep"))),
    results: given(options.results, (results) => oneOf(results, ["keep", "none"], of("results"))),
    version: given(options.version, (version) => integer(version, of("version"), { min: 1 })),
  });
}

function given<Value, Checked>(
  value: Value | undefined,
  check: (value: Value) => Checked,
): Checked | undefined {
  return value === undefined ? undefined : check(value);
}

/** No time at all would be over before anything could begin. */
function positive(duration: Duration, what: string): number {
  const time = milliseconds(duration, what);
  if (time > 0) return time;
  throw unexpected(what, "a duration of at least 1 ms", duration);
}

function checkedBackoff(backoff: Duration | Backoff, what: string): Backoff {
  checkBackoff(backoff, what);
  return typeof backoff === "function" ? backoff : fixed(backoff);
}

function checkedUnique(unique: UniqueOptions<never>, what: string): CheckedUnique {
  refuseUnknown(unique, ["key", "while", "onConflict"], what);
  const { key, while: time = "unfinished", onConflict = "ignore" } = unique;
  return Object.freeze({
    key: given(key, (name) => checkedKey(name, `${what} key`)),
    while: time === "waiting" || time === "unfinished" ? time : uniqueTime(time, `${what} while`),
    onConflict: oneOf(onConflict, ["ignore", "replace"], `${what} onConflict`),
  });
}

function uniqueTime(time: Duration, what: string): number {
  try {
    return positive(time, what);
  } catch {
    throw unexpected(what, "'waiting', 'unfinished' or a duration such as '10s'", time);
  }
}

function checkedLock(lock: Key<never> | LockPolicy<never>, what: string): CheckedLock {
  if (typeof lock === "string" || typeof lock === "function") {
    return Object.freeze({ key: checkedKey(lock, what), onBusy: "wait" });
  }
  refuseUnknown(lock, ["key", "onBusy"], what);
  const { onBusy = "wait" } = lock;
  return Object.freeze({
    key: checkedKey(lock.key, `${what} key`),
    onBusy: oneOf(onBusy, ["wait", "skip", "fail"], `${what} onBusy`),
  });
}

function checkedLimit(limit: LimitPolicy<never>, what: string): CheckedLimit {
  refuseUnknown(limit, ["key", "max", "per", "onLimit"], what);
  const { onLimit = "wait" } = limit;
  return Object.freeze({
    key: given(limit.key, (key) => checkedKey(key, `${what} key`)),
    max: integer(limit.max, `${what} max`, { min: 1, max: LARGEST_LIMIT }),
    perMs: positive(limit.per, `${what} per`),
    onLimit: oneOf(onLimit, ["wait", "drop", "fail"], `${what} onLimit`),
  });
}

function checkedConcurrency(policy: ConcurrencyPolicy<never>, what: string): CheckedConcurrency {
  refuseUnknown(policy, ["key", "max"], what);
  return Object.freeze({
    key: given(policy.key, (key) => checkedKey(key, `${what} key`)),
    max: integer(policy.max, `${what} max`, { min: 1 }),
  });
}

function checkedKey(key: Key<never>, what: string): CheckedKey {
  // The input is whatever the task takes: the compiler has seen to it where the task was defined.
  if (typeof key === "function") return key as (input: unknown) => unknown;
  if (typeof key === "string") return shortText(key, LONGEST_KEY, what);
  throw unexpected(what, "a text or a function of the input", key);
}
