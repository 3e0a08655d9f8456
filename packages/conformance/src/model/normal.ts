/** Answers of two storages in a form in which they can be compared: fences by the run they stand for, bytes as text. */
import type {
  ClaimedJob,
  JobEffect,
  JobRecord,
  JoinRecord,
  NoteRecord,
  Source,
  StoredRecord,
} from "@taskq/core/storage";
import { text } from "../bytes.js";

/** The number of a run by id and fence, in the same words for both storages. */
export type NameRun = (id: string, fence: number) => string;

/**
 * Which moment a storage chooses to promote a due job, or to park one whose gate is closed, is left to it, and when it
 * lets those go that are not due yet and wait for a unique key that is free since an instant; what it hands out is not, and claims are compared exactly.
 */
function normalState({ state, due, gate }: JobRecord, now: number): string {
  if (state === "parked" && due > now && gate?.startsWith("unique:")) return "scheduled";
  const waits = state === "ready" || state === "parked" || (state === "scheduled" && due <= now);
  return waits ? "waiting" : state;
}

export function normalRecord(record: StoredRecord | undefined, now: number, nameRun: NameRun): unknown {
  if (record === undefined) return undefined;
  return record.kind === "job" ? normalJob(record, now, nameRun) : normalJoin(record);
}

function normalJoin(record: JoinRecord): unknown {
  return { ...record, members: [...record.members] };
}

function normalJob(record: JobRecord, now: number, nameRun: NameRun): unknown {
  const { detail, gate: _, ...rest } = record;
  return {
    ...rest,
    state: normalState(record, now),
    // A reaped job that is skipped in the same pass keeps the random instant of its return.
    due: record.state === "skipped" && record.crashes > 0 ? undefined : record.due,
    fence: nameRun(record.id, record.fence),
    bytes: text(record.bytes),
    body: text(detail?.body),
    attempts: detail?.attempts.map((attempt) => ({
      ...attempt,
      fence: nameRun(record.id, attempt.fence),
      error: text(attempt.error),
    })),
    progress: detail?.progress === undefined ? undefined : normalNote(record.id, detail.progress, nameRun),
    before: detail?.before.toSorted(),
    after: detail?.after.toSorted(),
  };
}

export function normalNote(id: string, note: NoteRecord, nameRun: NameRun): unknown {
  return { ...note, fence: nameRun(id, note.fence), bytes: text(note.bytes) };
}

/** A claimed job but for its fence, which the caller compares. */
export function normalClaim(job: ClaimedJob, nameRun: NameRun): unknown {
  return {
    ...job,
    fence: undefined,
    body: text(job.body),
    sources: job.sources?.map((source) => normalSource(source, nameRun)),
  };
}

function normalSource(source: Source, nameRun: NameRun): unknown {
  if (source.kind === "join") {
    return { ...source, members: source.members.map((member) => normalSource(member, nameRun)) };
  }
  return { ...source, fence: nameRun(source.id, source.fence), bytes: text(source.bytes) };
}

/**
 * Effects but for those of which a storage chooses the moment: of parking, and of skipping, which may be written down
 * long after it counts.
 */
export function normalEffects(effects: readonly JobEffect[]): readonly string[] {
  return effects
    .filter(({ kind }) => kind !== "parked" && kind !== "readied" && kind !== "skipped")
    .map(
      ({ id, task, kind, reason, cause, attempt }) => `${id} ${task} ${kind} ${reason} ${cause} ${attempt}`,
    )
    .toSorted();
}
