/** Executes one claimed job and decides what follows. */
import { TaskqError, type JobError } from "../errors.js";
import type { MessageContext } from "../serializer/serializer.js";
import type { SettledOutcome } from "../storage.js";
import { describeError, encodeError } from "./failure.js";
import type { FinishedRun } from "./finished-run.js";
import { endOfReturn, endOfThrow, invoke, startTimeout, type InvokedEnd } from "./invoke.js";
import type { Run } from "./run.js";
import { decodeMessage, difference, type JobMessage } from "./message.js";
import { settlementOf } from "./settle-run.js";
import { contextOf, inputOf } from "./sources.js";

/** How long a job of a newer version of its task is left to consumers that know it, in milliseconds. */
const NEWER_VERSION_PAUSE = 5_000;

/** Executes the job and answers how to settle it. Never rejects. */
export async function execute(run: Run): Promise<FinishedRun> {
  const { engine, claimed } = run;
  run.startedAt = engine.time.now();
  const definition = engine.tasks.get(claimed.task);
  const policy = engine.policies.get(claimed.task);
  if (definition === undefined || policy === undefined) return unrun(run, { kind: "released" });
  const before = endBefore(run);
  if (before !== undefined) return unrun(run, before);

  let message: JobMessage;
  let input: unknown;
  try {
    message = openMessage(run);
    const made = inputOf(engine, message, claimed.sources);
    input = made instanceof Promise ? await made : made;
  } catch (error) {
    return isPassing(error) ? unrun(run, { kind: "released" }) : quarantined(run, error);
  }
  if ((message.version ?? 1) > policy.version) {
    return unrun(run, { kind: "postponed", due: run.startedAt + NEWER_VERSION_PAUSE });
  }
  run.headersOfJob = message.headers;
  run.instant = message.instant;
  tellStarted(run);

  const timeoutMs = message.options?.timeout ?? policy.timeoutMs;
  const timer = timeoutMs === undefined ? undefined : startTimeout(run, timeoutMs);
  let end: InvokedEnd;
  try {
    // The slot stays taken until the handler has really ended, whatever its signal said.
    const output = invoke(run, definition, input);
    end = endOfReturn(run, isThenable(output) ? await output : output);
  } catch (error) {
    end = endOfThrow(run, error);
  }
  if (timer !== undefined) clearTimeout(timer);
  return settlementOf(run, end, message, policy);
}

/** A handler may answer a promise of its own kind. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** What a job ends with that need not run. */
function endBefore({ claimed, startedAt, abortReason }: Run): SettledOutcome | undefined {
  if (abortReason instanceof TaskqError && abortReason.code === "TASKQ_REVOKED") {
    return { kind: "cancelled", reason: "revoked" };
  }
  if (claimed.expiresAt !== undefined && claimed.expiresAt <= startedAt) return { kind: "expired" };
  const { verdict } = claimed;
  if (verdict === undefined || verdict.kind === "fail") return undefined;
  return { kind: "skipped", reason: `'${verdict.gate}' was busy` };
}

/** @throws what makes the job one to quarantine */
function openMessage({ engine, claimed }: Run): JobMessage {
  const context: MessageContext = {
    purpose: "task",
    namespace: engine.storage.namespace,
    queue: engine.name,
    id: claimed.id,
    task: claimed.task,
  };
  const message = decodeMessage(engine.serializer, claimed.body, context);
  const differs = difference(message, claimed);
  if (differs === undefined) return message;
  throw new TaskqError("TASKQ_SIGNATURE", `what is stored beside the job differs from its bytes: ${differs}`);
}

/** A storage that was away while a predecessor's result was read. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof TaskqError && ["TASKQ_UNAVAILABLE", "TASKQ_BUSY", "TASKQ_CLOSED"].includes(error.code)
  );
}

function quarantined(run: Run, cause: unknown): FinishedRun {
  const { engine, claimed } = run;
  const described = describeError(cause, undefined);
  const error: JobError = {
    ...described,
    message: `the job cannot be read: ${described.message}`,
    code: "TASKQ_QUARANTINED",
    details: { code: described.code },
  };
  const bytes = encodeError(engine.serializer, error, contextOf(engine, claimed, "error"));
  return { ...unrun(run, { kind: "quarantined", error: bytes }), error };
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
