/** The stable codes of `TaskqError`. More may come; none is renamed. */
export type TaskqErrorCode =
  // What was asked for cannot be.
  | "TASKQ_OPTION"
  | "TASKQ_CRON"
  | "TASKQ_INPUT"
  | "TASKQ_TOO_LARGE"
  | "TASKQ_NOT_A_NUMBER"
  | "TASKQ_CONFIRM"
  | "TASKQ_DUPLICATE_TASK"
  | "TASKQ_UNKNOWN_TASK"
  | "TASKQ_UNKNOWN_SCHEDULE"
  | "TASKQ_ID_TAKEN"
  | "TASKQ_NOT_RESTORABLE"
  | "TASKQ_FLOW_FINISHED"
  | "TASKQ_ASYNC_IN_TRANSACTION"
  | "TASKQ_ISOLATE_MODULE"
  | "TASKQ_IMMEDIATE"
  | "TASKQ_CLOSED"
  | "TASKQ_WAIT_IN_HANDLER"
  | "TASKQ_NO_QUEUE"
  | "TASKQ_EVENTS_LOST"
  | "TASKQ_NOT_YET"
  // The storage.
  | "TASKQ_UNAVAILABLE"
  | "TASKQ_BUSY"
  | "TASKQ_STORAGE"
  | "TASKQ_SCHEMA"
  | "TASKQ_SIGNATURE"
  | "TASKQ_MOVED"
  | "TASKQ_MOVE"
  // Waiting.
  | "TASKQ_WAIT_TIMEOUT"
  | "TASKQ_LOCKED"
  | "TASKQ_LIMITED"
  // Why a job has no value.
  | "TASKQ_FAILED"
  | "TASKQ_CANCELLED"
  | "TASKQ_EXPIRED"
  | "TASKQ_SKIPPED"
  | "TASKQ_QUARANTINED"
  | "TASKQ_CRASHED"
  | "TASKQ_INTERRUPTED"
  // Why a run's signal aborted.
  | "TASKQ_TIMEOUT"
  | "TASKQ_REVOKED"
  | "TASKQ_LEASE_LOST"
  | "TASKQ_SHUTDOWN";

/** An error as data; classes are never rebuilt from stored names. */
export interface JobError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** The error's own `code`, or ours. */
  readonly code: string | undefined;
  /** What the option `serializeError` made of it. */
  readonly details: unknown;
}

/** The input of an `onError` task. */
export interface FailureReport {
  /** The job that failed; of a flow, the stage or member. */
  readonly id: string;
  readonly task: string;
  readonly error: JobError;
  /** Runs it has had. */
  readonly attempts: number;
}

/**
 * Every error of ours. `code` is stable, the message is not.
 *
 * @example
 * try {
 *   await queue.enqueue(add.job({ a: 2, b: 3 }));
 * } catch (error) {
 *   if (error instanceof TaskqError && error.code === 'TASKQ_UNAVAILABLE') retryLater(error.cause);
 *   else throw error;
 * }
 */
export class TaskqError extends Error {
  readonly code: TaskqErrorCode;
  constructor(code: TaskqErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
  static {
    nameErrors(this, "TaskqError");
  }
}

/**
 * `wait` of a job that ended `failed` or `quarantined`. Code `TASKQ_FAILED` or `TASKQ_QUARANTINED`. Its `cause` is what the
 * handler threw as an `Error` with that name, message, stack and code, for those who print and report errors.
 */
export class JobFailedError extends TaskqError implements FailureReport {
  readonly id: string;
  readonly task: string;
  /** What the handler threw, as data. */
  readonly error: JobError;
  /** Runs it has had. */
  readonly attempts: number;
  /** @param state how the job ended; unless it is told, as the code of the error says */
  constructor(
    report: FailureReport,
    state: "failed" | "quarantined" = report.error.code === "TASKQ_QUARANTINED" ? "quarantined" : "failed",
  ) {
    const quarantined = state === "quarantined";
    super(
      quarantined ? "TASKQ_QUARANTINED" : "TASKQ_FAILED",
      `the job ${report.id} of task "${report.task}" ${quarantined ? "was quarantined" : "failed"} ` +
        `after ${report.attempts} ${report.attempts === 1 ? "run" : "runs"}: ` +
        `${report.error.name}: ${report.error.message}`,
      { cause: errorOf(report.error) },
    );
    this.id = report.id;
    this.task = report.task;
    this.error = report.error;
    this.attempts = report.attempts;
  }
  static {
    nameErrors(this, "JobFailedError");
  }
}

/** The class is not the one of that name: what is stored names none to be made. */
function errorOf({ name, message, stack = `${name}: ${message}`, code }: JobError): Error {
  const error = new Error(message);
  Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}

/** `wait` of a job that ended `cancelled`. Code `TASKQ_CANCELLED`. */
export class JobCancelledError extends TaskqError {
  readonly reason: string;
  constructor(reason: string) {
    super("TASKQ_CANCELLED", `the job was cancelled: ${reason}`);
    this.reason = reason;
  }
  static {
    nameErrors(this, "JobCancelledError");
  }
}

/** `wait` of a job that ended `expired`. Code `TASKQ_EXPIRED`. */
export class JobExpiredError extends TaskqError {
  readonly reason: string;
  constructor(reason: string) {
    // As it is told where nobody gave another reason.
    super(
      "TASKQ_EXPIRED",
      reason === "expired" ? "the job expired: its time to start was over" : `the job expired: ${reason}`,
    );
    this.reason = reason;
  }
  static {
    nameErrors(this, "JobExpiredError");
  }
}

/** `wait` of a job that ended `skipped`. Code `TASKQ_SKIPPED`. */
export class JobSkippedError extends TaskqError {
  readonly reason: string;
  constructor(reason: string) {
    super("TASKQ_SKIPPED", `the job was skipped: ${reason}`);
    this.reason = reason;
  }
  static {
    nameErrors(this, "JobSkippedError");
  }
}

/** `wait` took longer than its `timeout`; the job goes on. Code `TASKQ_WAIT_TIMEOUT`. */
export class ResultTimeoutError extends TaskqError {
  /** The `timeout` it was given, in milliseconds. */
  readonly timeoutMs: number;
  /** Of the jobs that were not final. */
  readonly ids: readonly string[];
  constructor(timeoutMs: number, ids: readonly string[] = []) {
    const where = ids.length === 1 ? "; queue.why(id) tells what it waits for" : "";
    super("TASKQ_WAIT_TIMEOUT", `${jobsOf(ids)} not final after ${timeoutMs} ms of waiting${where}`);
    this.timeoutMs = timeoutMs;
    this.ids = ids;
  }
  static {
    nameErrors(this, "ResultTimeoutError");
  }
}

const MOST_IDS_TOLD = 5;

function jobsOf(ids: readonly string[]): string {
  if (ids.length < 2) return ["the job", ...ids, "was"].join(" ");
  const more = ids.length - MOST_IDS_TOLD;
  const told = ids.slice(0, MOST_IDS_TOLD).join(", ");
  return `${ids.length} jobs (${told}${more > 0 ? ` and ${more} more` : ""}) were`;
}

/** The reason of `context.signal` when a run took too long. Code `TASKQ_TIMEOUT`. */
export class TimeoutError extends TaskqError {
  /** The `timeout` of the run, in milliseconds. */
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super("TASKQ_TIMEOUT", `the run took longer than its timeout of ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
  static {
    nameErrors(this, "TimeoutError");
  }
}

/**
 * Gives a class of errors its `name`, and takes what another copy of this package made of the same class for its own:
 * with two copies in one process, a `Fatal` of the one must not be retried by the other.
 *
 * The name is on the prototype, so that it is there when the stack is captured and is no property to print.
 */
export function nameErrors(errorClass: { readonly prototype: Error }, name: string): void {
  const brand = Symbol.for(`taskq.error.${name}`);
  Object.defineProperties(errorClass.prototype, {
    name: { value: name, configurable: true, writable: true },
    [brand]: { value: true },
  });
  Object.defineProperty(errorClass, Symbol.hasInstance, {
    value(this: unknown, candidate: unknown): boolean {
      // A class that extends this one inherits the method, and has no brand of its own.
      if (this !== errorClass) return ordinaryHasInstance.call(this, candidate);
      return typeof candidate === "object" && candidate !== null && Reflect.get(candidate, brand) === true;
    },
  });
}

const ordinaryHasInstance = Function.prototype[Symbol.hasInstance] as (
  this: unknown,
  candidate: unknown,
) => boolean;
