/** Executes one claimed job and decides what follows. */
import type { Definition } from "../definition.js";
import { TaskqError } from "../errors.js";
import { isMetByAll } from "../met-by-all.js";
import { later } from "../soon.js";
import type { SettledOutcome } from "../storage.js";
import { encodeError } from "./failure.js";
import type { FinishedRun } from "./finished-run.js";
import { endOfReturn, endOfThrow, invoke, isRevoked, type InvokedEnd } from "./invoke.js";
import type { Run } from "./run.js";
import type { MaybePromise } from "./maybe-promise.js";
import type { JobMessage } from "./message.js";
import { openMessage } from "./open-message.js";
import type { Policy } from "./policy.js";
import { quarantineError } from "./quarantine.js";
import { RunTimeout } from "./run-timeout.js";
import { settlementOf } from "./settle-run.js";
import { contextOf, inputOf } from "./sources.js";
import { keysOfStage } from "./stage-keys.js";
import { withoutStacks } from "./without-stacks.js";

/** How long a job of a newer version of its task is left to consumers that know it, in milliseconds. */
const NEWER_VERSION_PAUSE = 5_000;
/** How long a job is put off whose predecessor's result the storage cannot read just now, in milliseconds. */
const UNREAD_PAUSE = 5_000;

const REVOKED: SettledOutcome = { kind: "cancelled", reason: "revoked" };

/** Told how to settle a run, once. */
export type Ended = (finished: FinishedRun) => void;

/**
 * Executes the job, and tells later how to settle it. It throws nothing, and makes no promise but the handler's: each
 * one costs every job.
 */
export function execute(run: Run, ended: Ended): void {
  const { engine, claimed } = run;
  run.startedAt = engine.time.now();
  const definition = engine.tasks.get(claimed.task);
  const policy = engine.policies.get(claimed.task);
  if (definition === undefined || policy === undefined) {
    return endUnrun(run, ended, { kind: "released" });
  }
  const before = endBefore(run);
  if (before !== undefined) return endUnrun(run, ended, before);
  let message: JobMessage;
  let input: MaybePromise<unknown>;
  try {
    message = withoutStacks(() => openMessage(run));
    input = inputOf(engine, message, claimed.sources);
  } catch (error) {
    return later(() => ended(unreadable(run, error)));
  }
  const call: Call = { run, ended, definition, policy, message };
  if (!(input instanceof Promise)) return start(call, input);
  input.then(
    (read) => unlessAborted(call, () => start(call, read)),
    (error: unknown) => ended(unreadable(run, error)),
  );
}

/** Goes on behind what had to be waited for, unless the run was revoked meanwhile, taken away or given up: then it never begins. */
function unlessAborted({ run, ended }: Call, next: () => void): void {
  if (run.abortReason === undefined) return next();
  ended(unrun(run, isRevoked(run) ? REVOKED : { kind: "released" }));
}

interface Call {
  readonly run: Run;
  readonly ended: Ended;
  readonly definition: Definition;
  readonly policy: Policy;
  readonly message: JobMessage;
  /** Why the handler is not called. */
  readonly refusal?: { readonly error: unknown };
}

function start(call: Call, input: unknown): void {
  const { run, ended, policy, message } = call;
  if ((message.version ?? 1) > policy.version) {
    return endUnrun(run, ended, { kind: "postponed", due: run.startedAt + NEWER_VERSION_PAUSE });
  }
  if (message.keyed === undefined) begin(call, input);
  else startStage(call, input);
}

/** Runs a stage that has its keys, and gives back one that has yet to wait by them. */
function startStage(call: Call, input: unknown): void {
  const { run, ended } = call;
  const goOn = (outcome: SettledOutcome | undefined): void => {
    if (outcome === undefined) begin(call, input);
    else endUnrun(run, ended, outcome);
  };
  // A key that cannot be made is a failure of the run as any other.
  const refuse = (error: unknown): void => begin({ ...call, refusal: { error } }, input);
  let outcome: MaybePromise<SettledOutcome | undefined>;
  try {
    outcome = keysOfStage(call, input);
  } catch (error) {
    return refuse(error);
  }
  if (outcome instanceof Promise) {
    outcome.then(
      (made) => unlessAborted(call, () => goOn(made)),
      (error: unknown) => unlessAborted(call, () => refuse(error)),
    );
  } else goOn(outcome);
}

function begin(call: Call, input: unknown): void {
  const { run, ended, definition, policy, message } = call;
  run.headersOfJob = message.headers;
  run.instant = message.instant;
  tellStarted(run);
  const timeoutMs = message.options?.timeout ?? policy.timeoutMs;
  const timeout = timeoutMs === undefined ? undefined : new RunTimeout(run, timeoutMs);
  const end = (how: InvokedEnd): void => {
    run.isOver = run.hasEnded = true;
    const finished = settlementOf(run, how, message, policy);
    const kept = run.keeping?.ended();
    if (kept === undefined) ended(finished);
    else void kept.then(() => ended(finished));
  };
  // The slot stays taken until the handler has really ended, whatever its signal said.
  const answer =
    call.refusal === undefined ? outputOf(run, definition, input) : Promise.reject(call.refusal.error);
  // Its own `then` would be a handler's: it may throw, or never call.
  void Promise.prototype.then.call(
    answer,
    (output) => {
      timeout?.end();
      end(endOfReturn(run, output));
    },
    (error: unknown) => {
      timeout?.end();
      end(endOfThrow(run, error));
    },
  );
}

/** A handler may answer a value, a promise, or a promise of its own kind. */
function outputOf(run: Run, definition: Definition, input: unknown): Promise<unknown> {
  try {
    return Promise.resolve(invoke(run, definition, input));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What a job ends with that need not run. */
function endBefore(run: Run): SettledOutcome | undefined {
  const { claimed, startedAt } = run;
  if (isRevoked(run)) return REVOKED;
  if (claimed.expiresAt !== undefined && claimed.expiresAt <= startedAt) return { kind: "expired" };
  const { verdict } = claimed;
  if (verdict === undefined || verdict.kind === "fail") return undefined;
  const { gate, gateKind } = verdict;
  return {
    kind: "skipped",
    reason: gateKind === "limit" ? `the limit '${gate}' is used up` : `'${gate}' was busy`,
  };
}

/** A storage that was away while a predecessor's result was read. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof TaskqError && ["TASKQ_UNAVAILABLE", "TASKQ_BUSY", "TASKQ_CLOSED"].includes(error.code)
  );
}

function unreadable(run: Run, error: unknown): FinishedRun {
  if (isPassing(error)) return unrun(run, { kind: "released" });
  // A disk that fails, a password that was changed: no fault of the job. Claims may go on meanwhile.
  if (isMetByAll(error)) return unrun(run, { kind: "postponed", due: run.startedAt + UNREAD_PAUSE });
  return quarantined(run, error);
}

function quarantined(run: Run, cause: unknown): FinishedRun {
  const { engine, claimed } = run;
  const error = quarantineError(cause);
  const bytes = encodeError(engine.serializer, error, contextOf(engine, claimed, "error"));
  return { ...unrun(run, { kind: "quarantined", error: bytes }), error };
}

function endUnrun(run: Run, ended: Ended, outcome: SettledOutcome): void {
  later(() => ended(unrun(run, outcome)));
}

function unrun(run: Run, outcome: SettledOutcome): FinishedRun {
  const { id, fence } = run.claimed;
  return {
    run,
    settlement: { id, fence, startedAt: run.startedAt, outcome, add: undefined },
    endedAt: run.startedAt,
    error: undefined,
    timeoutMs: undefined,
  };
}

function tellStarted({ engine, claimed, host, startedAt }: Run): void {
  if (!engine.events.wants("started")) return;
  const { id, task, attempt } = claimed;
  engine.events.emit("started", { id, task, attempt, time: new Date(startedAt), owner: host.owner });
}
