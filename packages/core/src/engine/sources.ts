/** What came before a stage, as values. */
import { TaskqError, type FailureReport } from "../errors.js";
import { mergeInput } from "../merge-input.js";
import type { MessageContext } from "../serializer/serializer.js";
import type { JobSource, Source } from "../storage.js";
import type { Outcome } from "../vocabulary/introspection.js";
import type { Engine } from "./engine-types.js";
import { decodeError, storageFailure } from "./failure.js";
import type { MaybePromise } from "./maybe-promise.js";
import { checkSource } from "./members.js";
import type { JobMessage } from "./message.js";
import { isWhole, wholeSource } from "./whole-source.js";

/** The input of a stage; a promise where results are to be read first. */
export function inputOf(
  engine: Engine,
  message: JobMessage,
  sources: readonly Source[] | undefined,
): MaybePromise<unknown> {
  if (message.stage === undefined) return message.input;
  const source = sources?.[0];
  if (source === undefined) {
    throw new TaskqError("TASKQ_INPUT", "a stage was handed out without the one before it");
  }
  const checked = checkSource(engine, message, source);
  if (checked instanceof Promise || !isWhole(source)) return readInput(engine, message, source, checked);
  return stageInput(engine, message, source);
}

async function readInput(
  engine: Engine,
  message: JobMessage,
  source: Source,
  checked: MaybePromise<void>,
): Promise<unknown> {
  await checked;
  return stageInput(engine, message, await wholeSource(engine, source));
}

function stageInput(engine: Engine, message: JobMessage, source: Source): unknown {
  if (message.stage === "error") return reportOf(engine, source);
  return mergeInput(valueOf(engine, source), message.extra, message.extra !== undefined);
}

/** The value of a completed job or join. */
export function valueOf(engine: Engine, source: Source): unknown {
  if (source.kind === "job") return decodeResult(engine, source);
  return source.members.map((member) =>
    source.mode === "settled" ? outcomeOf(engine, member) : valueOf(engine, member),
  );
}

/** The outcome of a final job or join. */
export function outcomeOf(engine: Engine, source: Source): Outcome {
  switch (source.state) {
    case "completed":
      return { state: "completed", value: valueOf(engine, source) };
    case "failed":
    case "quarantined":
      return { state: source.state, error: errorOf(engine, source) };
    case "cancelled":
    case "expired":
      return { state: source.state, reason: source.reason ?? source.state };
    default:
      return { state: "skipped", reason: skipReason(source.reason), cause: source.cause };
  }
}

/** Storages tell the state of the job because of which another was skipped; the rest are words already. */
export function skipReason(reason: string | undefined): string {
  switch (reason) {
    case "failed":
    case "quarantined":
    case "cancelled":
    case "expired":
      return `a job before it ${reason === "failed" || reason === "expired" ? "" : "was "}${reason}`;
    case "completed":
      return "there was no failure to handle";
    case undefined:
      return "skipped";
    default:
      return reason;
  }
}

function reportOf(engine: Engine, source: Source): FailureReport {
  if (source.kind === "join") {
    throw new TaskqError(
      "TASKQ_INPUT",
      "an error handler was handed a group in place of the job that failed",
    );
  }
  const { id, task, attempt } = source;
  return { id, task, error: errorOf(engine, source), attempts: attempt };
}

function errorOf(engine: Engine, source: Source): Extract<Outcome, { state: "failed" }>["error"] {
  if (source.kind === "join") {
    return {
      name: "TaskqError",
      message: `a member of the group failed: ${source.cause ?? "unknown"}`,
      stack: undefined,
      code: "TASKQ_FAILED",
      details: undefined,
    };
  }
  if (source.bytes === undefined) return storageFailure(source.reason, source.attempt);
  return decodeError(engine.serializer, source.bytes, contextOf(engine, source, "error"));
}

function decodeResult(engine: Engine, source: JobSource): unknown {
  if (source.bytes === undefined) return undefined;
  return engine.serializer.decode(source.bytes, contextOf(engine, source, "result"));
}

/** Where the bytes that one run of a job left belong. */
export function contextOf(
  engine: Engine,
  run: { readonly id: string; readonly task: string; readonly fence: number },
  purpose: "result" | "error" | "note",
): MessageContext {
  return {
    purpose,
    namespace: engine.storage.namespace,
    queue: engine.name,
    id: run.id,
    task: run.task,
    fence: run.fence,
  };
}

/** Where a line of a run's log or its progress belongs. */
export function noteContext(
  engine: Engine,
  run: { readonly id: string; readonly task: string; readonly fence: number },
  kind: "progress" | "log",
): MessageContext {
  return { ...contextOf(engine, run, "note"), key: kind };
}
