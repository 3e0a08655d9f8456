import { setImmediate } from "node:timers";
import { later, nextTick, TaskqError, type LoopTurn } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { DriverStatement } from "./driver.js";
import type { FileGuard } from "./file-guard.js";
import { isBusy, isOfFile, storageError } from "./failure.js";
import { TransactionScope } from "./transaction-scope.js";

/** Milliseconds after which a write that found the file busy gives up. */
export const BUSY_LIMIT = 10_000;
/** Bounds of the pause before the next attempt, in milliseconds. */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 4;
/** Looks at a busy file before the first pause. */
const TRIES_AT_ONCE = 20;
/** Calls of a group that may fail before the rest is run one by one. */
const STRIKES = 3;

type Work<T> = (scope: TransactionScope) => T;

interface Job {
  readonly work: Work<unknown>;
  readonly alone: Work<unknown> | undefined;
  /** Whether nobody is told that something was kept. */
  readonly isUnkept: boolean;
  readonly tried: (() => void) | undefined;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  readonly since: number;
  value: unknown;
}

/** What is to be done, and who is told. */
export interface Submission<T> {
  /** May be run more than once. */
  readonly work: Work<T>;
  /**
   * The same as one statement, for when there are no others: it is a transaction by itself. `undefined` from it says
   * that it did nothing, and the work is to be done.
   */
  readonly alone: Work<T | undefined> | undefined;
  /** Called before each try, also before one that the file or its guard ends before the work is run. */
  readonly tried: (() => void) | undefined;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export interface WriterOptions {
  readonly connection: Connection;
  readonly guard: Pick<FileGuard, "check" | "checkBefore">;
  /** Called after each commit. */
  readonly committed: (rows: number) => void;
  readonly turn: LoopTurn;
  /** @default `BUSY_LIMIT` */
  readonly busyLimit?: number | undefined;
}

/**
 * Runs writes in transactions. Calls of one tick share one: each works on its own part of it, and one that throws is
 * left out and the others are run again without it. A busy file is asked again after a pause that does not block.
 */
export class Writer {
  private readonly options: WriterOptions;
  private readonly begin: DriverStatement;
  private readonly commit: DriverStatement;
  private readonly rollback: DriverStatement;
  private pending: Job[] = [];
  private scheduled = false;
  private readonly turn: LoopTurn;
  private hasGoneAlone = false;
  private readonly mayGoAlone = (): void => {
    this.hasGoneAlone = false;
  };
  private timer: NodeJS.Timeout | undefined;
  /** A busy file is going to be asked again. */
  private waiting = false;
  /** How often it has been found busy since the last commit. */
  private tries = 0;

  constructor(options: WriterOptions) {
    this.options = options;
    this.turn = options.turn;
    this.begin = options.connection.sql("BEGIN IMMEDIATE");
    this.commit = options.connection.sql("COMMIT");
    this.rollback = options.connection.sql("ROLLBACK");
  }

  /**
   * At once, as one statement, if nothing else waits, and nothing was done so before the last microtask. `undefined`: it
   * has not been done, and is to be submitted.
   */
  alone<T>(work: Work<T | undefined>): T | undefined {
    if (this.hasGoneAlone || this.scheduled || this.waiting || this.isWithinAnother) return undefined;
    if (this.pending.length > 0 || this.turn.isLong()) return undefined;
    const scope = new TransactionScope(this.options.connection);
    let value: T | undefined;
    try {
      this.options.guard.checkBefore();
      value = work(scope);
      this.options.guard.check();
    } catch {
      // A busy file is asked again when it is submitted, and any other error met again and told.
      return undefined;
    } finally {
      this.hasGoneAlone = true;
      later(this.mayGoAlone);
    }
    if (value !== undefined) this.wasCommitted(scope);
    return value;
  }

  /** With all others of this tick, in one transaction. The work may be run more than once. */
  group<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) =>
      this.submit({ work, alone: undefined, tried: undefined, resolve, reject }),
    );
  }

  /** The same for a caller that has promises of its own. */
  submit<T>({ work, alone, tried, resolve, reject }: Submission<T>): void {
    const since = performance.now();
    this.pending.push({ work, alone, isUnkept: false, tried, resolve, reject, since, value: undefined });
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.waiting) return;
    if (this.turn.isLong()) return this.scheduleLate();
    this.scheduled = true;
    nextTick(this.flush);
  }

  /** At once, together with what is waiting, unless others have waited for their turn. The work may be run more than once. */
  now<T>(work: Work<T>, isUnkept = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.pending.push({
        work,
        alone: undefined,
        isUnkept,
        tried: undefined,
        resolve,
        reject,
        since: performance.now(),
        value: undefined,
      });
      if (this.turn.isLong()) this.scheduleLate();
      else this.flush();
    });
  }

  private scheduleLate(): void {
    if (this.scheduled || this.waiting) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  /** Called by the work of `storage.transaction`: what is written now would be undone with it, though it was told of. */
  private get isWithinAnother(): boolean {
    return this.options.connection.driver.inTransaction;
  }

  /** Whether something waits to be written. */
  get idle(): boolean {
    return this.pending.length === 0;
  }

  /** Rejects what still waits. */
  stop(error: TaskqError): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = false;
    const jobs = this.pending;
    this.pending = [];
    for (const job of jobs) job.reject(error);
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    if (this.waiting || this.pending.length === 0) return;
    if (this.isWithinAnother) {
      this.schedule();
      return;
    }
    const jobs = this.pending;
    this.pending = [];
    for (const { tried } of jobs) tried?.();
    this.execute(jobs, 0);
  };

  private execute(jobs: readonly Job[], strikes: number): void {
    const scope = new TransactionScope(this.options.connection);
    let current = -1;
    try {
      this.options.guard.checkBefore();
      if (!doneAlone(jobs, scope)) {
        this.begin.run();
        for (current = 0; current < jobs.length; current += 1) {
          const job = jobs[current] as Job;
          job.value = job.work(scope);
        }
        this.commit.run();
      }
      // Whoever hears of it need not wait for a look at the file, only whoever is told that it is kept.
      if (jobs.every((job) => job.isUnkept)) setImmediate(this.lookBehind);
      else this.options.guard.check();
    } catch (error) {
      this.undo(scope);
      this.failed(jobs, current, this.whyOf(error), strikes);
      return;
    }
    this.wasCommitted(scope);
    for (const job of jobs) job.resolve(job.value as never);
  }

  private readonly lookBehind = (): void => {
    try {
      this.options.guard.check();
    } catch {
      // It refuses from now on.
    }
  };

  /** Where the file is no longer ours, that is why. */
  private whyOf(error: unknown): unknown {
    if (isBusy(error)) return error;
    try {
      this.options.guard.check();
      return error;
    } catch (refusal) {
      return refusal;
    }
  }

  private wasCommitted(scope: TransactionScope): void {
    this.tries = 0;
    this.turn.wrote(scope.rows);
    scope.committed();
    this.options.committed(scope.rows);
  }

  private undo(scope: TransactionScope): void {
    scope.rolledBack();
    if (!this.options.connection.driver.inTransaction) return;
    try {
      this.rollback.run();
    } catch {
      // SQLite has rolled back by itself, as it does after some errors.
    }
  }

  private failed(jobs: readonly Job[], current: number, error: unknown, strikes: number): void {
    if (isBusy(error)) {
      this.retry(jobs, error);
      return;
    }
    const guilty = jobs[current];
    if (guilty === undefined || jobs.length === 1) {
      const shown = storageError(error, this.options.connection.path);
      for (const job of jobs) job.reject(shown);
      return;
    }
    const shown = storageError(error, this.options.connection.path);
    guilty.reject(shown);
    const innocent = jobs.filter((job) => job !== guilty);
    if (strikes + 1 < STRIKES) {
      this.execute(innocent, strikes + 1);
      return;
    }
    if (isOfFile(error)) {
      // Each would meet it by itself, and thousands of them would hold up the event loop for seconds.
      for (const job of innocent) job.reject(shown);
      return;
    }
    for (const job of innocent) {
      if (!this.waiting) this.execute([job], 0);
      else this.pending.push(job);
    }
  }

  private retry(jobs: readonly Job[], error: unknown): void {
    const limit = this.options.busyLimit ?? BUSY_LIMIT;
    const now = performance.now();
    const alive: Job[] = [];
    for (const job of jobs) {
      if (now - job.since < limit) alive.push(job);
      else job.reject(busyError(this.options.connection.path, limit, error));
    }
    if (alive.length === 0) return;
    this.pending = alive.concat(this.pending);
    this.again();
  }

  /** Most writes take a fraction of a millisecond: a few looks at once, then pauses that grow. */
  private again(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.tries += 1;
    const flush = (): void => {
      this.waiting = false;
      this.timer = undefined;
      this.flush();
    };
    if (this.tries <= TRIES_AT_ONCE) setImmediate(flush);
    else this.timer = setTimeout(flush, pauseLength(this.tries - TRIES_AT_ONCE));
  }
}

/** Whether there is one job, which a single statement has done. */
function doneAlone(jobs: readonly Job[], scope: TransactionScope): boolean {
  const [job] = jobs;
  if (jobs.length !== 1 || job?.alone === undefined) return false;
  job.value = job.alone(scope);
  return job.value !== undefined;
}

/** Random, and longer with each try, so that those who wait for the same file part. */
function pauseLength(tries: number): number {
  return SHORTEST_PAUSE + Math.random() * Math.min(2 ** tries, LONGEST_PAUSE - SHORTEST_PAUSE);
}

/** A pause of random length, in which others may be done with the file. */
export function pauseBeforeRetry(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, pauseLength(4));
  });
}

/** The file was held by others for the whole time. */
export function busyError(path: string, limit: number, cause: unknown): TaskqError {
  return new TaskqError(
    "TASKQ_BUSY",
    `the SQLite file ${path}: expected to write within ${limit} ms, but others held it all the time`,
    { cause },
  );
}
