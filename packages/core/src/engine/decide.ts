/** What follows a run: one pure function of the run's end, its policy and the time. */
import { retryPause, type Backoff, type FailedAttempt } from "../backoff.js";
import { Cancel, Fatal, Retry } from "../control-flow.js";
import { dueInstant } from "../duration.js";
import { TaskqError } from "../errors.js";
import { errorText } from "./failure.js";

/** How a handler ended. */
export type RunEnd =
  | { readonly kind: "returned" }
  | { readonly kind: "threw"; readonly error: unknown }
  /** It took longer than its timeout, whatever it then did. */
  | { readonly kind: "timed-out"; readonly error: TaskqError }
  /** It was aborted by a shutdown, and threw. */
  | { readonly kind: "interrupted" }
  /** It was revoked, and threw. */
  | { readonly kind: "revoked" };

export interface RetryPolicy {
  readonly retries: number;
  readonly backoff: Backoff | undefined;
  readonly retryWhen: ((failure: FailedAttempt) => boolean) | undefined;
  readonly delivery: "at-least-once" | "at-most-once";
}

export type Decision =
  | { readonly kind: "complete" }
  | { readonly kind: "fail"; readonly error: unknown }
  /** `counts`: it uses up one of the retries. */
  | { readonly kind: "retry"; readonly error: unknown; readonly due: number; readonly counts: boolean }
  | { readonly kind: "cancel"; readonly reason: string }
  | { readonly kind: "interrupt" };

/**
 * @param failures runs before this one that used up the budget
 * @param now epoch milliseconds
 */
export function decide(end: RunEnd, policy: RetryPolicy, failures: number, now: number): Decision {
  switch (end.kind) {
    case "returned":
      return { kind: "complete" };
    case "interrupted":
      return { kind: "interrupt" };
    case "revoked":
      return { kind: "cancel", reason: "revoked" };
    case "timed-out":
      return afterFailure(end.error, policy, failures, now);
    case "threw":
      return afterThrow(end.error, policy, failures, now);
  }
}

function afterThrow(error: unknown, policy: RetryPolicy, failures: number, now: number): Decision {
  if (error instanceof Cancel) return { kind: "cancel", reason: error.message };
  if (error instanceof Fatal) return { kind: "fail", error };
  if (error instanceof Retry) {
    if (policy.delivery === "at-most-once") {
      return {
        kind: "fail",
        error: new TaskqError(
          "TASKQ_INTERRUPTED",
          "the handler asked for another run, and an at-most-once job has only one",
          { cause: error },
        ),
      };
    }
    const { when } = error;
    const pause = { attempt: failures + 1, error: error.cause ?? error };
    const due =
      when.delay === undefined && when.at === undefined
        ? now + retryPause(policy.backoff, pause)
        : dueInstant(when, now, "Retry");
    return { kind: "retry", error, due, counts: false };
  }
  return afterFailure(error, policy, failures, now);
}

function afterFailure(error: unknown, policy: RetryPolicy, failures: number, now: number): Decision {
  const failure: FailedAttempt = { attempt: failures + 1, error };
  if (policy.delivery === "at-most-once" || failures >= policy.retries) return { kind: "fail", error };
  try {
    if (policy.retryWhen !== undefined && !policy.retryWhen(failure)) return { kind: "fail", error };
    return { kind: "retry", error, due: now + retryPause(policy.backoff, failure), counts: true };
  } catch (broken) {
    // A policy that throws must not lose the job: it ends with both errors told.
    return {
      kind: "fail",
      error: new TaskqError("TASKQ_OPTION", `retryWhen or backoff threw: ${errorText(broken)}`, {
        cause: error,
      }),
    };
  }
}
