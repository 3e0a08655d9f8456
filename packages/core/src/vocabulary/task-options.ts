import type { Backoff, FailedAttempt } from "../backoff.js";
import type { Duration } from "../duration.js";
import type { Keep } from "./keep.js";

/**
 * The options of a task, checked when it is defined. Functions of the input get it as the handler
 * does: parsed, where there is a schema.
 *
 * @example
 * task("charge", { retries: 5, backoff: exponential(), lock: ({ orderId }) => orderId }, charge);
 */
export interface TaskOptions<in Input = unknown> {
  /** Runs after the first one that a failing job gets. An integer, 0 or more. @default 0 */
  readonly retries?: number;
  /** The pause before a retry; grows with failed attempts, and not with runs that ended with `Retry`. @default at once */
  readonly backoff?: Duration | Backoff;
  /** Whether this error is worth a retry. Not asked of `Retry`, `Cancel` and `Fatal`. @default always */
  readonly retryWhen?: (failure: FailedAttempt) => boolean;
  /**
   * The longest one run may take; then `context.signal` aborts with a `TimeoutError`. The run has failed with that, whatever
   * its handler then returns or throws, be it `Cancel` or `Fatal`; `retryWhen` says whether it is tried again. @default none
   */
  readonly timeout?: Duration;
  /** An integer of 32 bits; higher first; first in, first out among equals. @default 0 */
  readonly priority?: number;
  /**
   * How long after its first enqueue a job may still start, whether for the first time or again: after a failure, a `retry` by hand, a
   * `restore`, or a delay. One that may not ends `expired` when its turn comes. @default for ever
   */
  readonly expires?: Duration;
  /** One job a key. @default none */
  readonly unique?: UniqueOptions<Input>;
  /** One run at a time for each name. @default none */
  readonly lock?: Key<Input> | LockPolicy<Input>;
  /** At most so many starts in a time. @default none */
  readonly limit?: LimitPolicy<Input>;
  /** At most so many runs at a time, over all consumers. @default none */
  readonly concurrency?: ConcurrencyPolicy<Input>;
  /** `at-most-once`: never run twice; a job whose consumer dies ends `failed` with `TASKQ_INTERRUPTED`. @default 'at-least-once' */
  readonly delivery?: "at-least-once" | "at-most-once";
  /** Where the handler runs: in the consumer's event loop, a thread or a process of its own. @default 'none' */
  readonly isolate?: "none" | "thread" | "process";
  /**
   * How long final jobs and their results are kept, and how many of this task; the queue's `max` counts beside. The newest
   * `max` stay for as long as `for` says, and so does what an unfinished job of a flow still needs. @default the queue's
   *
   * @example
   * task("ping", { keep: { completed: { for: "1d", max: 100 }, failed: "7d" } }, ping);
   */
  readonly keep?: Keep;
  /** `none`: the outcome is kept, the value is not, so that `wait` and what follows get `undefined`. @default 'keep' */
  readonly results?: "keep" | "none";
  /** Of the input's shape; stored with each job. An integer, 1 or more. @default 1 */
  readonly version?: number;
}

/**
 * A fixed name, or one made from the input: at enqueue, or for a later stage of a flow when its input is there. What the
 * function throws refuses the job at enqueue, and is a failed attempt of a stage.
 */
export type Key<Input> = string | ((input: Input) => string);

/** One job a key: what counts as the same, for how long, and what then happens to the new one. */
export interface UniqueOptions<in Input = unknown> {
  /** @default a hash of the encoded input, in which the order of the fields of an object does not count */
  readonly key?: Key<Input>;
  /** How long the key is taken: until the job starts, until it is final, or for a time. @default 'unfinished' */
  readonly while?: "waiting" | "unfinished" | Duration;
  /**
   * `ignore` answers the job that is there; `replace` cancels it unless it runs at that moment, also where it waits for a retry; behind
   * one that runs the new job waits. Of a pipeline the first job counts: with `ignore` nothing of it is stored, and the job that is there
   * is answered. A later stage waits for the key, and with `ignore` so does a job of a group.
   *
   * @default 'ignore'
   */
  readonly onConflict?: "ignore" | "replace";
}

/** One run at a time for each key, over all consumers. */
export interface LockPolicy<in Input = unknown> {
  readonly key: Key<Input>;
  /** `wait` takes neither a worker nor a retry. @default 'wait' */
  readonly onBusy?: "wait" | "skip" | "fail";
}

/**
 * Never more than `max` starts in any window of `per`, over all consumers: a sliding log, neither a fixed window nor a
 * bucket. Each attempt is a start, and counts also when its consumer dies.
 *
 * @example
 * task("call", { limit: { key: ({ tenant }) => tenant, max: 10, per: "1s" } }, call);
 */
export interface LimitPolicy<in Input = unknown> {
  /** What shares the starts: a text of 1 to 255 characters, or a function of the input. @default the name of the task */
  readonly key?: Key<Input>;
  /** Starts in any window of `per`. An integer, 1 to 10 000. */
  readonly max: number;
  /** At least 1 ms. */
  readonly per: Duration;
  /**
   * `wait` takes neither a worker nor a retry. `drop` ends the job `skipped`. `fail` is a failed attempt with
   * `TASKQ_LIMITED`. @default 'wait'
   */
  readonly onLimit?: "wait" | "drop" | "fail";
}

/** At most `max` runs at a time for each key, over all consumers. */
export interface ConcurrencyPolicy<in Input = unknown> {
  /** @default the name of the task */
  readonly key?: Key<Input>;
  /** An integer, 1 or more. */
  readonly max: number;
}

/** The options of a periodic task. It has no input, so nothing is unique or expires by it. */
export interface PeriodicOptions extends Omit<TaskOptions, "unique" | "expires"> {
  /** What happens when the run before has not ended; of `queue`, one waits at most. @default 'skip' */
  readonly overlap?: Overlap;
  /** What happens to instants at which no consumer was there. @default 'once' */
  readonly misfire?: Misfire;
}

/** What a schedule does when its last run has not ended: run beside it, not at all, or after it. */
export type Overlap = "allow" | "skip" | "queue";

/** `skip`: nothing. `once`: one late run, however many were missed. `all`: at most the latest so many. */
export type Misfire = "skip" | "once" | { readonly all: number };
