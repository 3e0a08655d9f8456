/** The handle on what a job yields. */
import {
  JobCancelledError,
  JobExpiredError,
  JobFailedError,
  JobSkippedError,
  ResultTimeoutError,
  TaskqError,
  type FailureReport,
} from "../errors.js";
import { dueInstant, milliseconds, type When } from "../duration.js";
import { abortSignal, flag, refuseUnknown, unexpected } from "../options.js";
import { abortWith } from "../on-abort.js";
import { isFinal, type AmendRequest, type Source, type StoredRecord } from "../storage.js";
import { startTimer } from "../timer.js";
import type { JobInfo, JobState, LogEntry, Outcome } from "../vocabulary/introspection.js";
import type { Result, ResultWaitOptions } from "../vocabulary/result.js";
import type { Engine } from "./engine-types.js";
import { amendOne } from "./amend-one.js";
import { infoOf, logsOf, progressOf } from "./job-info.js";
import type { Run } from "./run.js";
import { currentRun } from "./run-scope.js";
import { contextOf, outcomeOf } from "./sources.js";
import { readRecord } from "./read-records.js";
import { finalSource, readOutcome } from "./stored-outcome.js";
import { unlessAborted } from "./unless-aborted.js";
import { noSuchJob } from "./waiter.js";

/** What a handle is made with, beside the id of its job. */
export interface HandleOptions {
  readonly existing: boolean;
  /** Whether it is the handle of all jobs of a flow; else of a stage, of it and the later ones. */
  readonly ofFlow: boolean;
  /** The ids of a flow's stages, this one last; `undefined`: only this one is known. */
  readonly stages?: readonly string[] | undefined;
  /** Of the waiter, from before a job was stored. */
  readonly mark?: number | undefined;
}

export function createResult(engine: Engine, id: string, options: HandleOptions): Result {
  return new StoredResult(engine, id, options);
}

class StoredResult implements Result {
  readonly id: string;
  readonly existing: boolean;
  readonly #engine: Engine;
  readonly #scope: "flow" | "later";
  readonly #stages: readonly string[] | undefined;
  /** For the first wait: what is waited for again may have run again. */
  #mark: number | undefined;

  constructor(engine: Engine, id: string, { existing, ofFlow, stages, mark }: HandleOptions) {
    this.#engine = engine;
    this.id = id;
    this.existing = existing;
    this.#scope = ofFlow ? "flow" : "later";
    this.#stages = stages;
    this.#mark = mark;
  }

  get stages(): readonly Result[] {
    const before = (this.#stages ?? []).filter((id) => id !== this.id);
    const stage = { existing: this.existing, ofFlow: false };
    return [...before.map((id) => createResult(this.#engine, id, stage)), this];
  }

  async wait(options: ResultWaitOptions = {}): Promise<unknown> {
    refuseUnknown(options, ["timeout", "signal", "revokeOnTimeout"], "wait");
    const timeoutMs =
      options.timeout === undefined ? undefined : milliseconds(options.timeout, "wait timeout");
    abortSignal(options.signal, "wait signal");
    if (options.revokeOnTimeout !== undefined) flag(options.revokeOnTimeout, "wait revokeOnTimeout");
    const final = await this.#final(timeoutMs, options);
    if ("told" in final) return final.told;
    return valueOrThrow(this.#engine, await finalSource(this.#engine, final));
  }

  async peek(): Promise<Outcome | undefined> {
    await this.#open();
    return readOutcome(this.#engine, this.id);
  }

  async state(): Promise<JobState | undefined> {
    return (await this.#record())?.state;
  }

  async progress(): Promise<unknown> {
    const record = await this.#record(true);
    return record?.kind === "job" ? progressOf(this.#engine, record) : undefined;
  }

  async logs(): Promise<LogEntry[]> {
    const record = await this.#record();
    return record?.kind === "job" ? logsOf(this.#engine, record) : [];
  }

  async info(): Promise<JobInfo | undefined> {
    const record = await this.#record(true);
    return record?.kind === "job" ? infoOf(this.#engine, record) : undefined;
  }

  revoke(): Promise<boolean> {
    return this.#amend({ kind: "revoke", scope: this.#scope });
  }

  restore(): Promise<boolean> {
    return this.#amend({ kind: "restore", scope: this.#scope });
  }

  async reschedule(when: When): Promise<boolean> {
    refuseUnknown(when, ["delay", "at"], "reschedule");
    if (when.delay === undefined && when.at === undefined) {
      throw unexpected("reschedule", "a delay or an instant to run at", when);
    }
    await this.#open();
    return this.#amend({ kind: "reschedule", due: dueInstant(when, this.#engine.time.now(), "reschedule") });
  }

  async #amend(change: AmendRequest["change"]): Promise<boolean> {
    await this.#open();
    const engine = this.#engine;
    const isChanged = await amendOne(engine, this.id, change);
    // What was taken back or moved may be due at once, and so may what waited for the unique key of a revoked job.
    if (isChanged) await engine.runInline?.();
    return isChanged;
  }

  async #open(): Promise<void> {
    const opening = this.#engine.open();
    if (opening !== undefined) await opening;
  }

  async #record(whole = false): Promise<StoredRecord | undefined> {
    await this.#open();
    return readRecord(this.#engine, this.id, whole);
  }

  /** What comes before the waiting, if anything. */
  #readyToWait(): Promise<void> | undefined {
    const opening = this.#engine.open();
    const run = currentRun();
    if (run === undefined || !run.host.serves(this.#engine)) return opening;
    return this.#refuseInHandler(run, opening);
  }

  /** The slots of a consumer could all be taken by handlers that wait for jobs behind them. */
  async #refuseInHandler(run: Run, opening: Promise<void> | undefined): Promise<void> {
    if (opening !== undefined) await opening;
    const record = await readRecord(this.#engine, this.id, false);
    if (record !== undefined && isFinal(record.state)) return;
    throw new TaskqError(
      "TASKQ_WAIT_IN_HANDLER",
      `the handler of job ${run.id} waits for job ${this.id}, which the same consumer is to run: that could last for ever; compose them with pipe or group, or with context.enqueue(job, { join: true })`,
    );
  }

  async #final(
    timeoutMs: number | undefined,
    options: ResultWaitOptions,
  ): Promise<StoredRecord | ToldResult> {
    const { signal, revokeOnTimeout = false } = options;
    if (timeoutMs === undefined) return this.#ended(signal);
    const late = new AbortController();
    const error = new ResultTimeoutError(timeoutMs, [this.id]);
    const timer = startTimer(() => late.abort(error), timeoutMs);
    const forget = abortWith(late, signal);
    try {
      return await (timeoutMs === 0 ? this.#endedBy(error, signal) : this.#ended(late.signal));
    } catch (reason) {
      if (reason === error && revokeOnTimeout) await this.#revokeFor(error);
      throw reason;
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  /** What keeps the job from being revoked is told beside it. */
  async #revokeFor(error: ResultTimeoutError): Promise<void> {
    try {
      await this.revoke();
    } catch (cause) {
      error.cause = cause;
    }
  }

  /** Looks once: a timer could be over before any look is answered. */
  async #endedBy(late: ResultTimeoutError, signal: AbortSignal | undefined): Promise<StoredRecord> {
    const ready = this.#readyToWait();
    if (ready !== undefined) await unlessAborted(ready, signal);
    const record = await unlessAborted(this.#record(), signal);
    if (record === undefined) throw noSuchJob(this.id);
    if (isFinal(record.state)) return record;
    throw late;
  }

  async #ended(signal: AbortSignal | undefined): Promise<StoredRecord | ToldResult> {
    // A storage that is away has a time of its own for each call.
    const ready = this.#readyToWait();
    if (ready !== undefined) await unlessAborted(ready, signal);
    const { waiter, serializer } = this.#engine;
    const mark = this.#mark;
    this.#mark = undefined;
    for (let final = await waiter.final(this.id, signal, mark); ;) {
      if ("state" in final) return final;
      const { bytes } = final;
      if (bytes === undefined) return { told: undefined };
      try {
        return { told: serializer.decode(bytes, contextOf(this.#engine, final, "result")) };
      } catch {
        // Anybody may have told it: what is stored counts.
        final = await waiter.final(this.id, signal);
      }
    }
  }
}

/** The value of a job of which more was told than that it is final. */
interface ToldResult {
  readonly told: unknown;
}

function valueOrThrow(engine: Engine, source: Source): unknown {
  const outcome = outcomeOf(engine, source);
  switch (outcome.state) {
    case "completed":
      return outcome.value;
    case "failed":
    case "quarantined":
      // A handler may have thrown an error of ours, such as that of another job which was quarantined.
      throw new JobFailedError({ ...failedRun(source), error: outcome.error }, outcome.state);
    case "cancelled":
      throw new JobCancelledError(outcome.reason);
    case "expired":
      throw new JobExpiredError(outcome.reason);
    case "skipped":
      throw new JobSkippedError(
        outcome.cause === undefined ? outcome.reason : `${outcome.reason} (job ${outcome.cause})`,
      );
  }
}

/** Of a group whose failed member is no longer kept, no more is known than the member's id. */
function failedRun(source: Source): Omit<FailureReport, "error"> {
  if (source.kind === "job") return { id: source.id, task: source.task, attempts: source.attempt };
  return { id: source.cause ?? source.id, task: "group", attempts: 1 };
}
