/** The end of a handler as what the storage is asked for. */
import { backoffFromData } from "../backoff.js";
import { TaskqError, TimeoutError, type JobError } from "../errors.js";
import { ignoreRejection } from "../ignore-rejection.js";
import { shown } from "../options.js";
import type { SettledOutcome } from "../storage.js";
import type { FailedRun } from "../vocabulary/queue.js";
import { namedRows } from "./flow.js";
import { decide, type Decision, type RetryPolicy, type RunEnd } from "./decide.js";
import type { FinishedRun } from "./finished-run.js";
import { cappedReason, describeError, encodeError, errorText } from "./failure.js";
import type { InvokedEnd } from "./invoke.js";
import type { Run } from "./run.js";
import type { JobMessage } from "./message.js";
import type { Policy } from "./policy.js";
import { contextOf } from "./sources.js";
import { toldError } from "./told-error.js";

export function settlementOf(run: Run, end: InvokedEnd, message: JobMessage, policy: Policy): FinishedRun {
  const { engine } = run;
  const endedAt = engine.time.now();
  if (end.kind === "returned") {
    try {
      const outcome = { kind: "completed", result: resultBytes(run, end.output, policy) } as const;
      const finished = finish(run, endedAt, outcome);
      if (run.joined === undefined) return finished;
      return { ...finished, afterRefusal: () => refused(run, message, policy) };
    } catch (refusal) {
      // An output that cannot be stored is a failure of the run as any other.
      return decided(run, endedAt, { kind: "threw", error: refusal }, message, policy);
    }
  }
  return decided(run, endedAt, end, message, policy);
}

/** The id of a joined job was taken meanwhile: a failure of the run as any other. */
function refused(run: Run, message: JobMessage, policy: Policy): FinishedRun {
  const given = (run.joined ?? []).flatMap(namedRows).map(({ id }) => shown(id));
  const error = new TaskqError(
    "TASKQ_ID_TAKEN",
    `expected the ids of what the run joins to be its own, but another task has ${given.length === 1 ? given[0] : `one of ${given.join(", ")}`}`,
  );
  return decided(run, run.engine.time.now(), { kind: "threw", error }, message, policy);
}

/** The same for one whose end the storage does not keep, for whatever reason: of what it threw, its error is told instead. */
export function failedInstead(
  { run, settlement: { outcome } }: FinishedRun,
  error: TaskqError,
  message: JobMessage,
  policy: Policy,
): FinishedRun {
  const endedAt = run.engine.time.now();
  if (outcome.kind !== "failed" && outcome.kind !== "retry") {
    return decided(run, endedAt, { kind: "threw", error }, message, policy);
  }
  const told = describe(run, error, message);
  return finish(run, endedAt, { ...outcome, error: bytesOf(run, told) }, told);
}

function decided(run: Run, endedAt: number, end: RunEnd, message: JobMessage, policy: Policy): FinishedRun {
  const decision = decide(end, retryPolicy(message, policy), run.claimed.failures, endedAt);
  return finishDecided(run, endedAt, decision, message);
}

/** What the job was enqueued with wins over its task. */
function retryPolicy({ options }: JobMessage, policy: Policy): RetryPolicy {
  return {
    retries: options?.retries ?? policy.retries,
    backoff: options?.backoff === undefined ? policy.backoff : backoffFromData(options.backoff),
    retryWhen: policy.retryWhen,
    delivery: policy.delivery,
  };
}

function resultBytes({ engine, claimed }: Run, output: unknown, policy: Policy): Uint8Array | undefined {
  if (policy.results === "none" || output === undefined) return undefined;
  return engine.serializer.encode(output, contextOf(engine, claimed, "result"));
}

function finishDecided(run: Run, endedAt: number, decision: Decision, message: JobMessage): FinishedRun {
  switch (decision.kind) {
    case "complete":
      return finish(run, endedAt, { kind: "completed", result: undefined });
    case "cancel":
      return finish(run, endedAt, { kind: "cancelled", reason: cappedReason(decision.reason) });
    case "interrupt":
      return finish(run, endedAt, { kind: "interrupted" });
    case "fail": {
      const error = describe(run, decision.error, message);
      return finish(run, endedAt, { kind: "failed", error: bytesOf(run, error) }, error);
    }
    case "retry": {
      const error = describe(run, decision.error, message);
      const { due, counts } = decision;
      return finish(run, endedAt, { kind: "retry", error: bytesOf(run, error), due, counts }, error);
    }
  }
}

function describe(run: Run, error: unknown, message: JobMessage): JobError {
  const { engine, claimed } = run;
  const { id, task, attempt } = claimed;
  const job: FailedRun = { id, task, input: message.input, attempt };
  let details: unknown;
  if (engine.serializeError !== undefined) {
    try {
      details = engine.serializeError(error, job);
      if (ignoreRejection(details)) details = "serializeError answered a promise; expected a value";
    } catch (broken) {
      details = `serializeError threw: ${errorText(broken)}`;
    }
  }
  return toldError(engine, describeError(error, details), job);
}

function bytesOf({ engine, claimed }: Run, error: JobError): Uint8Array {
  return encodeError(engine.serializer, error, contextOf(engine, claimed, "error"));
}

function finish(run: Run, endedAt: number, outcome: SettledOutcome, error?: JobError): FinishedRun {
  const { id, fence } = run.claimed;
  const reason = run.abortReason;
  return {
    run,
    settlement: {
      id,
      fence,
      startedAt: run.startedAt,
      outcome,
      add: outcome.kind === "completed" ? run.joined?.map(({ flow }) => flow) : undefined,
      claimed: run.claimed,
    },
    endedAt,
    error,
    timeoutMs: reason instanceof TimeoutError ? reason.timeoutMs : undefined,
  };
}
