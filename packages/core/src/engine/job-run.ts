/** One run of one job: what its handler is given as context. */
import type { BuiltFlow } from "./flow.js";
import type { ClaimedJob } from "../storage.js";
import type {
  BatchOptions,
  EnqueueOptions,
  JobHeaders,
  JoinOption,
  Many,
} from "../vocabulary/enqueue-options.js";
import type { Limit, LimitOptions, Lock, LockOptions } from "../vocabulary/locks.js";
import type { Logger } from "../vocabulary/logger.js";
import type { Resources } from "../vocabulary/resources.js";
import type { Result, WaitOptions } from "../vocabulary/result.js";
import type { Entry, Job, JobOf, TaskContext, Yield } from "../vocabulary/task-and-job.js";
import type { Values } from "../vocabulary/values.js";
import type { Engine } from "./engine-types.js";
import { enqueueInRun, enqueueManyInRun } from "./enqueue-in-run.js";
import { Keeping, storeProgress } from "./notes.js";
import { runLogger } from "./run-logger.js";
import type { Run, RunHost } from "./run.js";
import { SignalSource } from "./signal-source.js";

const NO_HEADERS: JobHeaders = Object.freeze({});
const NO_RESOURCES = Object.freeze({}) as Resources;
/** What a handler knows it by. */
const MEMBERS: readonly (keyof TaskContext)[] = [
  "id",
  "task",
  "attempt",
  "fence",
  "signal",
  "deadline",
  "remaining",
  "enqueuedAt",
  "scheduledAt",
  "headers",
  "enqueue",
  "enqueueMany",
  "lock",
  "limit",
  "values",
  "progress",
  "log",
  "resources",
];

/** Members are made when they are asked for: a handler that uses none of them costs nothing. */
export class JobRun implements Run {
  readonly engine: Engine;
  readonly claimed: ClaimedJob;
  readonly host: RunHost;
  /** Flows that this run makes part of what follows it. */
  joined: BuiltFlow[] | undefined;
  isOver = false;
  hasEnded = false;
  startedAt = 0;
  /** The instant at which it times out. */
  deadlineAt: number | undefined;
  headersOfJob: JobHeaders | undefined;
  /** Of a job that a schedule made: the instant it stands for. */
  instant: number | undefined;
  lent: Resources = NO_RESOURCES;
  keeping: Keeping | undefined;
  #aborting: SignalSource | undefined;
  #log: Logger | undefined;

  constructor(engine: Engine, claimed: ClaimedJob, host: RunHost) {
    this.engine = engine;
    this.claimed = claimed;
    this.host = host;
  }

  get aborting(): SignalSource {
    return (this.#aborting ??= new SignalSource());
  }
  get abortReason(): Error | undefined {
    return this.#aborting?.reason;
  }
  get id(): string {
    return this.claimed.id;
  }
  get task(): string {
    return this.claimed.task;
  }
  get attempt(): number {
    return this.claimed.attempt;
  }
  get fence(): number {
    return this.claimed.fence;
  }
  get signal(): AbortSignal {
    return this.aborting.signal;
  }
  get deadline(): Date | undefined {
    return this.deadlineAt === undefined ? undefined : new Date(this.deadlineAt);
  }
  get remaining(): () => number {
    return () =>
      this.deadlineAt === undefined ? Infinity : Math.max(0, this.deadlineAt - this.engine.time.now());
  }
  get enqueuedAt(): Date {
    return new Date(this.claimed.enqueuedAt);
  }
  get scheduledAt(): Date {
    return new Date(this.instant ?? this.claimed.due);
  }
  get headers(): JobHeaders {
    return this.headersOfJob ?? NO_HEADERS;
  }
  get enqueue(): <J extends Job>(job: J, options?: EnqueueOptions & JoinOption) => Promise<Result<Yield<J>>> {
    return (job, options) => enqueueInRun(this, job, options);
  }
  get enqueueMany(): <E extends Entry>(
    jobs: Many<E>,
    options?: BatchOptions & JoinOption,
  ) => Promise<Result<Yield<JobOf<E>>>[]> {
    return (jobs, options) => enqueueManyInRun(this, jobs, options);
  }
  get lock(): (name: string, options?: LockOptions) => Lock {
    return (name, options) => this.engine.queue.lock(name, this.#whileRunning(options));
  }
  get limit(): (name: string, options: LimitOptions) => Limit {
    return (name, options) => this.engine.queue.limit(name, this.#whileRunning(options));
  }
  get values(): Values {
    return this.engine.queue.values;
  }
  get progress(): (value: unknown) => Promise<void> {
    return (value) => storeProgress(this, (this.keeping ??= new Keeping()), value);
  }
  get log(): Logger {
    return (this.#log ??= runLogger(this));
  }
  get resources(): Resources {
    return this.lent;
  }

  /** Whoever prints it sees its members, and not the queue that is behind it. */
  toJSON(): object {
    return Object.fromEntries(MEMBERS.map((name) => [name, this[name]]));
  }
  static {
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), {
      value(this: JobRun): object {
        return this.toJSON();
      },
    });
  }

  /** Whoever waits in a handler waits no longer than the run lasts, nor than he wants to. */
  #whileRunning<Options extends WaitOptions>(
    options: Options | undefined,
  ): Options & { readonly signal: AbortSignal } {
    const given = options?.signal;
    // One that is no signal is refused where the lock or the limit is made.
    const signal =
      given instanceof AbortSignal ? AbortSignal.any([this.signal, given]) : (given ?? this.signal);
    return { ...(options as Options), signal };
  }
}
