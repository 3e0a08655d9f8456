/** What follows a run: one pure function of the run's end, its policy and the time. */
import { retryPause, type Backoff, type FailedAttempt } from "../backoff.js";
import { Cancel, Fatal, Retry } from "../control-flow.js";
import { dueInstant } from "../duration.js";
import { TaskqError } from "../errors.js";
import { ignoreRejection } from "../ignore-rejection.js";
import { errorText, withoutStack } from "./failure.js";

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
  if (isA(error, Cancel)) return { kind: "cancel", reason: withoutStack(error).message };
  if (isA(error, Fatal)) return { kind: "fail", error };
  if (isA(error, Retry)) return afterRetry(error, policy, failures, now);
  return afterFailure(error, policy, failures, now);
}

function afterRetry(error: Retry, policy: RetryPolicy, failures: number, now: number): Decision {
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
  return unlessBroken(error, () => {
    const { when } = error;
    const pause = { attempt: failures + 1, error: error.cause ?? error };
    const due =
      when.delay === undefined && when.at === undefined
        ? now + retryPause(policy.backoff, pause)
        : dueInstant(when, now, "Retry");
    return { kind: "retry", error, due, counts: false };
  });
}

function afterFailure(error: unknown, policy: RetryPolicy, failures: number, now: number): Decision {
  const failure: FailedAttempt = { attempt: failures + 1, error };
  // Of a row that somebody has written into it may be no count, and the job would be tried again without end.
  const isLeft = failures >= 0 && failures < policy.retries;
  if (policy.delivery === "at-most-once" || !isLeft) return { kind: "fail", error };
  return unlessBroken(error, () => {
    if (policy.retryWhen !== undefined && !isWorthIt(policy.retryWhen(failure)))
      return { kind: "fail", error };
    return { kind: "retry", error, due: now + retryPause(policy.backoff, failure), counts: true };
  });
}

/** What JavaScript answers may be a promise, which would count as true. */
function isWorthIt(answer: unknown): boolean {
  if (!ignoreRejection(answer)) return Boolean(answer);
  throw new TaskqError("TASKQ_OPTION", "retryWhen: expected true or false, got a promise");
}

/** A policy that throws must not lose the job: it ends with both errors told. */
function unlessBroken(error: unknown, decision: () => Decision): Decision {
  try {
    return decision();
  } catch (broken) {
    return {
      kind: "fail",
      error: new TaskqError("TASKQ_OPTION", `retryWhen or backoff threw: ${errorText(broken)}`, {
        cause: error,
      }),
    };
  }
}

/** What was thrown may be a proxy that throws at being looked at. */
function isA<Kind>(error: unknown, kind: new (...given: never[]) => Kind): error is Kind {
  try {
    return error instanceof kind;
  } catch {
    return false;
  }
}
