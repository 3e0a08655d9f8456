/** One job's whole story from its stored record. */
import type { JobRecord, NoteRecord } from "../storage.js";
import { isFinal } from "../storage.js";
import type { AttemptInfo, JobInfo, LogEntry } from "../vocabulary/introspection.js";
import type { Engine } from "./engine-types.js";
import { decodeError } from "./failure.js";
import { isRecord } from "./is-record.js";
import { decodeMessage, type JobMessage } from "./message.js";
import { contextOf, noteContext } from "./sources.js";
import { recordOutcome } from "./stored-outcome.js";

/** @param record read with `whole` */
export async function infoOf(engine: Engine, record: JobRecord): Promise<JobInfo> {
  const message = messageOf(engine, record);
  return {
    id: record.id,
    task: record.task,
    state: record.state,
    input: message?.input ?? message?.extra,
    headers: message?.headers ?? {},
    priority: record.priority,
    version: message?.version ?? 1,
    attempt: record.attempt,
    failures: record.failures,
    crashes: record.crashes,
    attempts: attemptsOf(engine, record),
    progress: progressOf(engine, record),
    outcome: isFinal(record.state) ? await recordOutcome(engine, record) : undefined,
    before: record.detail?.before ?? [],
    after: record.detail?.after ?? [],
    enqueuedAt: new Date(record.enqueuedAt),
    scheduledAt: new Date(record.due),
    expiresAt: dateOf(record.expiresAt),
    finishedAt: dateOf(record.finishedAt),
  };
}

export function progressOf(engine: Engine, record: JobRecord): unknown {
  const note = record.detail?.progress;
  return note === undefined ? undefined : decodeNote(engine, record, note);
}

export async function logsOf(engine: Engine, record: JobRecord): Promise<LogEntry[]> {
  const notes = await engine.storage.notes({ queue: engine.name, id: record.id });
  return notes.map((note) => {
    const line = decodeNote(engine, record, note);
    const { level, message, fields } = isRecord(line) ? line : {};
    return {
      time: new Date(note.time),
      attempt: note.attempt,
      level: isLevel(level) ? level : "info",
      message: typeof message === "string" ? message : "",
      fields: isRecord(fields) ? fields : {},
    };
  });
}

function decodeNote(engine: Engine, record: JobRecord, note: NoteRecord): unknown {
  return engine.serializer.decode(
    note.bytes,
    noteContext(engine, { id: record.id, task: record.task, fence: note.fence }, note.kind),
  );
}

function isLevel(level: unknown): level is LogEntry["level"] {
  return level === "debug" || level === "info" || level === "warn" || level === "error";
}

/** A job whose bytes cannot be read has a story all the same. */
function messageOf(engine: Engine, record: JobRecord): JobMessage | undefined {
  if (record.detail === undefined) return undefined;
  try {
    return decodeMessage(engine.serializer, record.detail.body, {
      purpose: "task",
      namespace: engine.storage.namespace,
      queue: engine.name,
      id: record.id,
      task: record.task,
    });
  } catch {
    return undefined;
  }
}

function attemptsOf(engine: Engine, record: JobRecord): AttemptInfo[] {
  const attempts = (record.detail?.attempts ?? []).map((attempt) => ({
    attempt: attempt.attempt,
    fence: attempt.fence,
    owner: attempt.owner,
    startedAt: new Date(attempt.startedAt),
    endedAt: dateOf(attempt.endedAt),
    error:
      attempt.error === undefined
        ? undefined
        : decodeError(
            engine.serializer,
            attempt.error,
            contextOf(engine, { id: record.id, task: record.task, fence: attempt.fence }, "error"),
          ),
  }));
  const { attempt, fence, owner, startedAt, state } = record;
  const told = attempts.some((one) => one.attempt === attempt);
  // The run that completes a job, or that goes on, is told by the row itself.
  if (!told && owner !== undefined && startedAt !== undefined && ["completed", "active"].includes(state)) {
    attempts.push({
      attempt,
      fence,
      owner,
      startedAt: new Date(startedAt),
      endedAt: dateOf(record.finishedAt),
      error: undefined,
    });
  }
  return attempts;
}

function dateOf(instant: number | undefined): Date | undefined {
  return instant === undefined ? undefined : new Date(instant);
}
