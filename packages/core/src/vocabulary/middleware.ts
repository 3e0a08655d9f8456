import type { JobHeaders } from "./enqueue-options.js";
import type { TaskContext } from "./task-and-job.js";

/**
 * Around every run and every enqueue; the first one used is outermost. Throwing fails the run, or
 * refuses the job.
 *
 * @example
 * queue.use({
 *   enqueue: (job, next) => next({ ...job, headers: { ...job.headers, traceparent } }),
 *   run: (context, next) => tracer.within(context.headers["traceparent"], next),
 * });
 */
export interface Middleware {
  /**
   * `next()` answers the output of the handler; what a layer answers is the output, with or without `next`. Called again, or after
   * the layer has answered, it rejects with `TASKQ_OPTION`. A layer that answers while `next()` is still under way fails the run,
   * once the handler has ended: with the handler's error, or else with `TASKQ_OPTION`.
   */
  run?(context: TaskContext, next: () => Promise<unknown>): unknown;
  /**
   * Once for each job of a flow; `next` takes the job or a changed copy: `TASKQ_OPTION` for one with another id or task, or with
   * headers, a priority or an instant that no enqueue would take, and for a layer that calls `next` twice or never. The job is
   * stored once what is within has ended, also where a layer does not wait for it.
   */
  enqueue?(job: JobDraft, next: (job: JobDraft) => void | Promise<void>): void | Promise<void>;
}

/** A job about to be stored, as plain data. */
export interface JobDraft {
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
  readonly input: unknown;
  readonly headers: JobHeaders;
  readonly priority: number;
  readonly scheduledAt: Date;
}
