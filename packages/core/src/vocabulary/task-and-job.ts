import type { FailureReport } from "../errors.js";
import type { Schedule } from "../schedule/schedule.js";
import type { output } from "./brands.js";
import type { Extra, Piped } from "./piping.js";
import type { BatchOptions, EnqueueOptions, JobHeaders, JoinOption, Many } from "./enqueue-options.js";
import type { Limit, LimitOptions, Lock, LockOptions } from "./locks.js";
import type { Logger } from "./logger.js";
import type { Resources } from "./resources.js";
import type { Result } from "./result.js";
import type { PeriodicOptions, TaskOptions } from "./task-options.js";
import type { TaskReference } from "./task-reference.js";
import type { Values } from "./values.js";

/** A named definition of work. A value: making one stores, opens and registers nothing. */
export interface Task<out Name extends string, in Input, out Output> extends TaskReference<Name, Output> {
  /** As they were given. */
  readonly options: TaskOptions<never>;
  /** Describes one run. Nothing is stored until a queue is given the job. */
  readonly job: (input: Input) => Job<Output, Name>;
  /** Calls the bare handler, in this process, without a queue. `context` replaces parts of the one made for tests. @throws `TASKQ_INPUT` when the schema refuses the input */
  readonly run: (input: Input, context?: Partial<TaskContext>) => Promise<Output>;
}

/** A task that fires by the clock and has no input. */
export interface Periodic<out Name extends string> extends TaskReference<Name, void> {
  readonly schedule: Schedule;
  /** As they were given. */
  readonly options: PeriodicOptions;
  /** Describes one run beside the schedule. */
  readonly job: () => Job<void, Name>;
  /** Calls the bare handler, in this process, without a queue. */
  readonly run: (context?: Partial<TaskContext>) => Promise<void>;
}

/** Any task at all. */
export type AnyTask = Task<string, never, unknown> | Periodic<string>;

/**
 * What a handler is told and may use. Every member may be taken out of it, by its name: they are made when they are asked for,
 * so a copy by spread (`{ ...context }`) has none of them.
 */
export interface TaskContext {
  /** Of the job. */
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
  /** 1 at the first run. */
  readonly attempt: number;
  /** Grows with every claim; hand it to what must refuse a late writer. */
  readonly fence: number;
  /** Aborts on timeout, revoke, lost lease and shutdown; the reason is a `TaskqError`. */
  readonly signal: AbortSignal;
  /** When this run times out, if it does. */
  readonly deadline: Date | undefined;
  /** Milliseconds until the deadline; `Infinity` without one. */
  readonly remaining: () => number;
  readonly enqueuedAt: Date;
  /** When this run became due; of a periodic task, the instant it stands for. */
  readonly scheduledAt: Date;
  readonly headers: JobHeaders;
  /** Tasks know no queue, so the name is checked at run time. @throws `TASKQ_UNKNOWN_TASK` */
  readonly enqueue: <J extends Job>(
    job: J,
    options?: EnqueueOptions & JoinOption,
  ) => Promise<Result<Yield<J>>>;
  /** Stores many, one round trip a batch. @throws `TASKQ_UNKNOWN_TASK` */
  readonly enqueueMany: <E extends Entry>(
    jobs: Many<E>,
    options?: BatchOptions & JoinOption,
  ) => Promise<Result<Yield<JobOf<E>>>[]>;
  /** Waits no longer than the run lasts. */
  readonly lock: (name: string, options?: LockOptions) => Lock;
  /** Waits no longer than the run lasts. */
  readonly limit: (name: string, options: LimitOptions) => Limit;
  readonly values: Values;
  /**
   * Stores how far the job is; sent as the event `progress`. A handler need not wait for it: it is kept before the job ends.
   *
   * @throws `TASKQ_INPUT` `TASKQ_TOO_LARGE` for what cannot be kept, `TASKQ_LEASE_LOST` when the run is no longer the job's
   */
  readonly progress: (value: unknown) => Promise<void>;
  /** Written to the queue's logger, and kept with the job, but for fields that cannot be stored. */
  readonly log: Logger;
  /** What the consumer made for this run. */
  readonly resources: Resources;
}

/**
 * An immutable description of one run, or of several composed. `Names` are the tasks it needs.
 *
 * @example
 * const flow = group(urls.map((url) => fetchPage.job({ url }))).pipe(aggregate).onError(alertTeam);
 */
export interface Job<out Output = unknown, out Names extends string = string> {
  /** The names of the tasks it needs, each once. */
  readonly tasks: readonly Names[];
  readonly [output]: Output; // in the type only
  /** Then `next`, with the output of this as its input. */
  pipe<Name extends string, Next>(next: Task<Name, Piped<Output>, Next>): Job<Next, Names | Name>;
  /** Then `next`, with `{ ...output, ...extra }` if the output is an object, else with `{ input: output, ...extra }`. */
  pipe<Name extends string, Input, Next, Given>(
    this: Job<Given>,
    next: Task<Name, Input, Next>,
    extra: Extra<Input, Given>,
  ): Job<Next, Names | Name>;
  /** Runs `handler` once, if this ends `failed` or `quarantined`. */
  onError<Name extends string>(handler: Task<Name, FailureReport, unknown>): Job<Output, Names | Name>;
}

/** A job, or a job with options of its own, which win over the batch's. */
export type Entry<J extends Job = Job> = J | (EnqueueOptions & { readonly job: J });

/** The job of an entry. */
export type JobOf<E> = E extends { readonly job: infer J } ? J : E;

/** The output of a job. */
export type Yield<J> = J extends Job<infer Output> ? Output : never;

/** The names of the tasks that a job needs. */
export type NamesOf<J> = J extends Job<unknown, infer Names> ? Names : never;
