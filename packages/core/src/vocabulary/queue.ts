import type { Clock } from "../clock.js";
import type { Duration } from "../duration.js";
import type { JobError } from "../errors.js";
import type { Serializer } from "../serializer/serializer.js";
import type { output } from "./brands.js";
import type { BatchOptions, EnqueueOptions, Many, RevokeOptions } from "./enqueue-options.js";
import type { EventType, QueueEvent } from "./events.js";
import type {
  Counts,
  Explanation,
  JobFilter,
  JobInfo,
  JobState,
  Stats,
  StatsByTask,
} from "./introspection.js";
import type { Keep } from "./keep.js";
import type { Limit, LimitOptions, Lock, LockOptions, Locks, SemaphoreOptions } from "./locks.js";
import type { Logger } from "./logger.js";
import type { Middleware } from "./middleware.js";
import type { Registered } from "./registered.js";
import type { Result } from "./result.js";
import type { Schedules } from "./schedules.js";
import type { Storage } from "./storage.js";
import type { AnyTask, Entry, Job, JobOf, NamesOf, Yield } from "./task-and-job.js";
import type { TaskOptions } from "./task-options.js";
import type { TaskReference } from "./task-reference.js";
import type { Values } from "./values.js";

/** What a queue is made of, besides its tasks. */
export interface QueueOptions {
  /** One storage may serve several queues of different names; the same name on it is the same queue. */
  readonly storage: Storage;
  /** `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`. @default 'default' */
  readonly name?: string;
  /** @default `jsonSerializer()` */
  readonly serializer?: Serializer;
  /** Executes at enqueue, in virtual time; for tests. @default false */
  readonly immediate?: boolean;
  /** @default the storage's */
  readonly clock?: Clock;
  /** One that throws disturbs nobody: the process warns once of lines that are lost (`TASKQ_LOGGER`). @default silent */
  readonly logger?: Logger;
  /** For tasks that do not say. @default { completed: { for: '1h', max: 1_000_000 }, failed: { for: '7d', max: 1_000_000 } } */
  readonly keep?: Keep;
  /** Details to keep with an error. @default none */
  readonly serializeError?: (error: unknown, job: FailedRun) => unknown;
  /**
   * Takes out of an error what nobody is to read, before it is stored, told in an event or kept with a log line: it is
   * given the error as data, with what `serializeError` made of it, and answers what is kept in its place. Where it
   * throws, or answers no object, nothing of the error is kept but a code of ours. @default everything is kept
   *
   * @example
   * const queue = createQueue({
   *   storage,
   *   tasks,
   *   redact: (error) => ({ ...error, message: error.message.replaceAll(/\b\d{13,19}\b/g, "<card>"), stack: undefined }),
   * });
   */
  readonly redact?: (error: JobError, job: FailedRun) => JobError;
  /** Whether the stacks of errors, and with them their causes, are kept and told. @default true */
  readonly stacks?: boolean;
  /** For tasks that do not say. @default none */
  readonly defaults?: Omit<TaskOptions, "unique" | "lock" | "limit" | "concurrency" | "version">;
  /**
   * How long a job of a task that no consumer knows may wait before it ends `quarantined`, with the reason
   * `unknown-task`: counted from when it was due and a consumer that does not know its task has asked for jobs. It
   * begins anew whenever a consumer that knows the task asks for jobs, so give it more than your longest runs and
   * deployments. `queue.retry` lets such a job wait again. Of the queue, not of the process: what it was opened with
   * last counts. At least 1 ms. @default for ever
   */
  readonly unknownAfter?: Duration;
}

/** Whose error `serializeError` and `redact` are given. */
export interface FailedRun {
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
  /** `undefined` too for an error of a log line. */
  readonly input: unknown;
  /** 1 for the first. */
  readonly attempt: number;
}

/**
 * Stores jobs in a storage and knows tasks by name. `Names` are the tasks it is known to have: a
 * queue with more tasks fits where fewer are asked for, and `Queue` alone is any queue, fit for all
 * that needs no certain task.
 */
export interface Queue<in Names extends string = never> extends AsyncDisposable {
  readonly name: string;
  /** By name. */
  readonly tasks: ReadonlyMap<string, AnyTask>;
  readonly values: Values;
  readonly schedules: Schedules<Names>;
  readonly locks: Locks;

  /** Stores a job; once this resolves, the job is kept until it is final. @throws `TASKQ_INPUT` `TASKQ_TOO_LARGE` `TASKQ_UNKNOWN_TASK` `TASKQ_ID_TAKEN` `TASKQ_UNAVAILABLE` */
  enqueue<J extends Job>(
    job: J & Registered<NamesOf<J>, Names>,
    options?: EnqueueOptions,
  ): Promise<Result<Yield<J>>>;
  /** Does all of enqueue but the storing: checks, middleware, encoding. For a transaction. */
  prepare<J extends Job>(
    job: J & Registered<NamesOf<J>, Names>,
    options?: EnqueueOptions,
  ): Promise<PreparedJob<Yield<J>>>;
  /**
   * Stores many, one round trip a batch, each batch whole or not at all; an async iterable is read no faster than it is stored.
   * A batch is 1,000 jobs; on Redis 128, of which several are under way at once. Where it rejects, batches before the one that could
   * not be stored, and on Redis some behind it, are there. @throws as `enqueue`
   */
  enqueueMany<E extends Entry>(
    jobs: Many<E & Registered<NamesOf<JobOf<E>>, Names>>,
    options?: BatchOptions,
  ): Promise<Result<Yield<JobOf<E>>>[]>;
  /** The handle of a job by its id, typed by its task. Of a flow, that of one stage: `revoke` cancels it and the later ones. */
  result<Output>(task: TaskReference<Names, Output>, id: string): Result<Output>;
  result(id: string): Result;

  /** Skips jobs of a task: `once`, `until` an instant, or until restored. */
  revoke(task: TaskReference<Names>, options?: RevokeOptions): Promise<void>;
  /** `false`: it was not revoked. */
  restore(task: TaskReference<Names>): Promise<boolean>;
  /** Whether its jobs are skipped now. */
  isRevoked(task: TaskReference<Names>): Promise<boolean>;
  /** Lets jobs of one task, or of all, wait. */
  pause(task?: TaskReference<Names>): Promise<void>;
  /** Lets them run again. */
  resume(task?: TaskReference<Names>): Promise<void>;

  /** The right to be the only holder of a name; not taken yet. */
  lock(name: string, options?: LockOptions): Lock;
  /** A lock with several holders. */
  semaphore(name: string, options: SemaphoreOptions): Lock;
  /** The right to start something so often; not taken yet. */
  limit(name: string, options: LimitOptions): Limit;

  /** How many jobs are in each state. As quick with a million finished jobs as with none; jobs that wait are counted. */
  counts(options?: { readonly by?: never }): Promise<Counts>;
  /** The same, by the name of the task. Looks at every job, some thousands at a time: not for every second. */
  counts(options: { readonly by: "task" }): Promise<Readonly<Record<string, Counts>>>;
  /** Read page by page while it is iterated. @throws `TASKQ_OPTION`, also for an `after` that is not known */
  jobs(filter?: JobFilter): AsyncIterable<JobInfo>;
  /** `undefined`: there is none, or it is no longer kept. @throws `TASKQ_OPTION` for what is no id */
  job(id: string): Promise<JobInfo | undefined>;
  /** Why a job is not running, or ran late, twice or not at all. @throws `TASKQ_OPTION` for what is no id */
  why(id: string): Promise<Explanation>;
  /**
   * What was done within a window of time, by task and by minute: runs that completed, failed and were retried, how long
   * they waited and ran, and how long the oldest job has been waiting. The window begins with a minute, and is at most
   * 48 hours long: so long they are kept.
   *
   * Of other processes, the last second may be missing; one that is killed takes its last second with it. Runs that were
   * lost with their process, given back, cancelled or never begun are in none of the numbers.
   *
   * @throws `TASKQ_OPTION`
   * @example
   * const { total, oldestWaitingMs } = await queue.stats({ window: "15m" });
   * if (total.waitMs.p95 > 60_000) alarm(oldestWaitingMs);
   */
  stats(options?: {
    /** @default '1h' */
    readonly window?: Duration;
    readonly by?: never;
  }): Promise<Stats>;
  /**
   * The same, and how long the oldest job of each task has been waiting. Looks at every job, some thousands at a time: not
   * for every second.
   */
  stats(options: {
    /** @default '1h' */ readonly window?: Duration;
    readonly by: "task";
  }): Promise<StatsByTask>;
  /**
   * Runs a failed or quarantined job again, unless its `expires` has passed: then it ends `expired`. `false`: it is in another state.
   *
   * @throws `TASKQ_FLOW_FINISHED` `TASKQ_OPTION`
   */
  retry(id: string): Promise<boolean>;
  /**
   * Removes all jobs, results and values of this queue, also those that run; or, where a state, a task or an age is
   * given, only such jobs with their results, some hundreds at a time. Of those, jobs that wait are revoked first, so that
   * what follows them in their flows is skipped; jobs that run stay (one that begins at that very moment is revoked), and so do results that an unfinished job needs, and
   * what is enqueued meanwhile.
   *
   * @throws `TASKQ_CONFIRM` if `confirm` is not the queue's name; `TASKQ_OPTION`
   * @example
   * await queue.flush({ confirm: "default", state: "failed", olderThan: "1d" });
   * await queue.flush({ confirm: "default", task: sendEmail, state: ["scheduled", "ready", "parked"] });
   */
  flush(options: FlushOptions): Promise<void>;

  /** Of this process; sent after the fact is stored. What a listener answers is not kept, and one that throws or rejects disturbs nobody. */
  on<Type extends EventType>(
    types: Type | readonly Type[] | "*",
    listener: (event: QueueEvent<Type>) => unknown,
  ): Disposable;
  /**
   * Of all processes: every job that becomes final, in the order in which that was stored, and then as they come:
   * `completed`, `failed`, `quarantined`, `cancelled`, `revoked`, `expired` and `skipped`. With the cursor of the last
   * event that was dealt with, a reader that was killed goes on: nothing is missed, and what came after that cursor is
   * told again. Other events are told by `on`, in their own process.
   *
   * Kept from the first reading on, so `'start'` never reaches further back, and until nobody has read for 7 days. What
   * is kept is bounded: 7 days, and some 1,000,000 events; a queue that nobody follows writes nothing of it.
   *
   * Ends with the signal, a `break` or `close`. Waits while a storage is away, once it has answered the first time.
   *
   * `from`: a cursor, `'start'` for all that is kept, or `'now'` for what comes after the first `next`. @default 'now'
   *
   * @throws `TASKQ_OPTION` for what is no cursor, `TASKQ_EVENTS_LOST` if what follows the cursor is no longer kept,
   * `TASKQ_MOVED` once all is read of a queue that has moved: the cursor goes on where it is now
   * @example
   * for await (const event of queue.events({ from: (await readCursor()) ?? 'start' })) {
   *   if (event.type === 'failed') await tell(event.id, event.error);
   *   await writeCursor(event.cursor);
   * }
   */
  events(options?: {
    readonly from?: string;
    readonly signal?: AbortSignal;
  }): AsyncIterable<QueueEvent & { readonly cursor: string }>;
  /** Puts it around every run and every enqueue, until it is disposed of. */
  use(middleware: Middleware): Disposable;
  /**
   * Ends all waiting, and closes the storage once no queue uses it. What was asked of it before is answered, but for the
   * batches that `enqueueMany` has not begun. Again: the same. A consumer of this process that still serves the queue stops
   * first, as by `stop`, and tells that nobody had stopped it; a handler does not wait for that.
   */
  close(): Promise<void>;
}

/** What to remove from a queue. An option that is there and `undefined` is refused: without it, more would go. */
export interface FlushOptions {
  /** The name of the queue. */
  readonly confirm: string;
  /** Any but `active`. @default all of them, where a task or an age is given */
  readonly state?: Exclude<JobState, "active"> | readonly Exclude<JobState, "active">[];
  /** @default all */
  readonly task?: TaskReference;
  /** How long ago they were enqueued, at least. @default any age */
  readonly olderThan?: Duration;
}

/** Encoded and ready to be stored, within a transaction. */
export interface PreparedJob<out Output> {
  readonly id: string;
  readonly [output]: Output; // in the type only
}
