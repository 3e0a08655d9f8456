import type { Backoff, FailedAttempt } from "../backoff.js";
import type { Definition } from "../definition.js";
import type { CheckedOptions } from "../task-options.js";

/** The options of a task as one queue applies them: the task's own, else the queue's defaults, else ours. */
export interface Policy {
  readonly retries: number;
  readonly backoff: Backoff | undefined;
  readonly retryWhen: ((failure: FailedAttempt) => boolean) | undefined;
  readonly timeoutMs: number | undefined;
  readonly priority: number;
  readonly expiresMs: number | undefined;
  readonly delivery: "at-least-once" | "at-most-once";
  readonly isolate: "none" | "thread" | "process";
  readonly results: "keep" | "none";
  readonly version: number;
  readonly keep: CheckedOptions["keep"];
  readonly unique: CheckedOptions["unique"];
  readonly lock: CheckedOptions["lock"];
  readonly limit: CheckedOptions["limit"];
  readonly concurrency: CheckedOptions["concurrency"];
}

export function policyOf({ options, kind }: Definition, defaults: CheckedOptions | undefined): Policy {
  return {
    retries: options.retries ?? defaults?.retries ?? 0,
    backoff: options.backoff ?? defaults?.backoff,
    retryWhen: options.retryWhen ?? defaults?.retryWhen,
    timeoutMs: options.timeoutMs ?? defaults?.timeoutMs,
    priority: options.priority ?? defaults?.priority ?? 0,
    expiresMs: options.expiresMs ?? defaults?.expiresMs,
    delivery: options.delivery ?? defaults?.delivery ?? "at-least-once",
    isolate: options.isolate ?? defaults?.isolate ?? "none",
    // A periodic handler may answer anything, also what cannot travel.
    results: kind === "periodic" ? "none" : (options.results ?? defaults?.results ?? "keep"),
    version: options.version ?? 1,
    keep: options.keep ?? defaults?.keep,
    unique: options.unique,
    lock: options.lock,
    limit: options.limit,
    concurrency: options.concurrency,
  };
}
