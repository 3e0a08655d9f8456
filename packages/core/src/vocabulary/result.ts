import type { Duration, When } from "../duration.js";
import type { JobInfo, JobState, LogEntry, Outcome } from "./introspection.js";

/**
 * A handle on what an enqueued job yields; of a flow, its last stage. Reading repeats, and takes
 * nothing away.
 *
 * @example
 * const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
 * await result.wait({ timeout: "5s" }); // 5
 */
export interface Result<out Output = unknown> {
  readonly id: string;
  /** Whether enqueue answered a job that was there already. */
  readonly existing: boolean;
  /**
   * The handles of all stages, this one last. Of a flow that was `existing`, and of a handle by its id, this one alone:
   * the ids of the stages before it are not known without looking.
   */
  readonly stages: readonly Result[];
  /** Answers the value once the job is completed. @throws `JobFailedError` `JobCancelledError` `JobExpiredError` `JobSkippedError` `ResultTimeoutError`; `TASKQ_WAIT_IN_HANDLER` in a handler; `TASKQ_MOVED` once the queue has moved with the job */
  wait(options?: ResultWaitOptions): Promise<Output>;
  /** What there is now; never waits. `undefined`: the job is not final, or is no longer kept. */
  peek(): Promise<Outcome<Output> | undefined>;
  /** `undefined`: the job is not there, or is no longer kept. */
  state(): Promise<JobState | undefined>;
  /** What the handler last gave to `context.progress`. */
  progress(): Promise<unknown>;
  /** What the handler wrote to `context.log`, oldest first. */
  logs(): Promise<LogEntry[]>;
  /** The whole story. */
  info(): Promise<JobInfo | undefined>;
  /**
   * Cancels a waiting job, aborts the signal of a running one; of a flow, every job not final. A handler that returns all the
   * same completes its job. `false`: there was none.
   */
  revoke(): Promise<boolean>;
  /** Takes a revoke back. `false`: there was none. @throws `TASKQ_NOT_RESTORABLE` */
  restore(): Promise<boolean>;
  /** Moves a waiting job in place, under the same id. `false`: it has started or is final. */
  reschedule(when: When): Promise<boolean>;
}

/** How long to wait. */
export interface WaitOptions {
  /** The longest to wait; 0 looks once. @default for ever */
  readonly timeout?: Duration;
  /** Ends the waiting with its reason. @default none */
  readonly signal?: AbortSignal;
}

/** How long to wait for a result, and what then happens to its job. */
export interface ResultWaitOptions extends WaitOptions {
  /** Revoke the job when the time is over. @default false */
  readonly revokeOnTimeout?: boolean;
}
