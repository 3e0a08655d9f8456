/** One job's whole story from its stored record. */
import type { MessageContext } from "../serializer/serializer.js";
import type { JobRecord, NoteRecord } from "../storage.js";
import { isFinal } from "../storage.js";
import type { AttemptInfo, JobInfo, LogEntry, Outcome, UnreadablePart } from "../vocabulary/introspection.js";
import { checkedMessage } from "./checked-message.js";
import type { Engine } from "./engine-types.js";
import { readableError, withoutStack } from "./failure.js";
import { isRecord } from "./is-record.js";
import { decodeMessage, type JobMessage } from "./message.js";
import { quarantineOf } from "./quarantine.js";
import { contextOf, noteContext } from "./sources.js";
import { recordOutcome } from "./stored-outcome.js";
import { withoutStacks } from "./without-stacks.js";

type Parts = UnreadablePart[];

/**
 * What cannot be read is told as such: neither it nor what is listed after it is kept from whoever asks.
 *
 * @param record read with `whole`
 */
export async function infoOf(engine: Engine, record: JobRecord): Promise<JobInfo> {
  const unreadable: Parts = [];
  const message = messageOf(engine, record, unreadable);
  const progress = orTold(() => progressOf(engine, record), "progress", unreadable);
  const outcome = await outcomeOf(engine, record, unreadable);
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
    progress,
    outcome,
    before: record.detail?.before ?? [],
    after: record.detail?.after ?? [],
    enqueuedAt: new Date(record.enqueuedAt),
    scheduledAt: new Date(record.due),
    expiresAt: dateOf(record.expiresAt),
    finishedAt: dateOf(record.finishedAt),
    quarantine: quarantineOf(record, outcome),
    unreadable,
  };
}

/** What `read` answers; where it throws, `undefined`, and the part is told. */
function orTold<Value>(
  read: () => Value,
  part: UnreadablePart["part"],
  unreadable: Parts,
): Value | undefined {
  try {
    return withoutStacks(read);
  } catch (error) {
    tell(error, part, unreadable);
    return undefined;
  }
}

function tell(error: unknown, part: UnreadablePart["part"], unreadable: Parts): void {
  const { code, message } = withoutStack(error);
  unreadable.push({ part, code, reason: message });
}

async function outcomeOf(engine: Engine, record: JobRecord, unreadable: Parts): Promise<Outcome | undefined> {
  const { state, bytes } = record;
  if (!isFinal(state)) return undefined;
  try {
    return await recordOutcome(engine, record);
  } catch (error) {
    // Of a job, everything is in its record: nothing but its bytes can be wrong.
    if (bytes === undefined || (state !== "failed" && state !== "quarantined")) {
      tell(error, "result", unreadable);
      return { state: "completed", value: undefined };
    }
    tell(error, "error", unreadable);
    return { state, error: readableError(engine.serializer, bytes, contextOf(engine, record, "error")) };
  }
}

export function progressOf(engine: Engine, record: JobRecord): unknown {
  const note = record.detail?.progress;
  return note === undefined ? undefined : decodeNote(engine, record, note);
}

export async function logsOf(engine: Engine, record: JobRecord): Promise<LogEntry[]> {
  const notes = await engine.storage.notes({ queue: engine.name, id: record.id });
  return notes.map((note) => {
    const line = readableLine(engine, record, note);
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

/** One that cannot be read does not keep the others from whoever asks. */
function readableLine(engine: Engine, record: JobRecord, note: NoteRecord): unknown {
  try {
    return decodeNote(engine, record, note);
  } catch (error) {
    return {
      level: "error",
      message: `a log line that cannot be read: ${withoutStack(error).message}`,
    };
  }
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
function messageOf(engine: Engine, record: JobRecord, unreadable: Parts): JobMessage | undefined {
  const body = record.detail?.body;
  if (body === undefined) return undefined;
  const context: MessageContext = {
    purpose: "task",
    namespace: engine.storage.namespace,
    queue: engine.name,
    id: record.id,
    task: record.task,
  };
  return orTold(() => checkedMessage(decodeMessage(engine.serializer, body, context)), "message", unreadable);
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
        : readableError(
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
