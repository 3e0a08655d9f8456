/** Progress and log lines of runs. */
import type { NoteRecord, NoteRequest } from "@taskq/core/storage";
import { copyOf } from "./bytes.js";
import type { Move, QueueState } from "./queue-state.js";
import { runOf } from "./runs.js";

/** Log lines kept of one job. */
const KEPT_LINES = 1000;

/** Keeps a note of a run that is the caller's; `false`: it is not. */
export function note({ queue, now }: Move, { run, kind, bytes }: NoteRequest): boolean {
  const row = runOf(queue, run.id, run.fence)?.row;
  if (row === undefined) return false;
  const record: NoteRecord = {
    kind,
    time: now,
    attempt: row.attempt,
    fence: run.fence,
    bytes: copyOf(bytes),
  };
  if (kind === "progress") row.progress = record;
  else {
    row.logs ??= [];
    row.logs.push(record);
    if (row.logs.length > KEPT_LINES) row.logs.shift();
  }
  return true;
}

/** The log lines of a job, oldest first. */
export function notes(queue: QueueState, id: string): readonly NoteRecord[] {
  return (queue.jobOf(id)?.logs ?? []).map(copyNote);
}

export function copyNote(record: NoteRecord): NoteRecord {
  return { ...record, bytes: copyOf(record.bytes) };
}
