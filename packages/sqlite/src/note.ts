import type { NoteRecord, NoteRequest } from "@taskq/core/storage";
import { bytesOf } from "./bytes.js";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { ACTIVE, NOTED } from "./row.js";
import { jobById } from "./rows.js";

/** Log lines of a job that are kept. */
const KEPT_LINES = 1000;

/** Keeps a run's progress or one more line of its log, if it is still the run of its job. */
export function note(move: Move, { run, kind, bytes }: NoteRequest): boolean {
  const row = jobById(move.scope.connection, move.queue, run.id);
  if (row === undefined || row.state !== ACTIVE || row.fence !== run.fence) return false;
  if ((row.flags & NOTED) === 0) {
    move.sql("UPDATE {jobs} SET flags = flags | ? WHERE key = ?").run(NOTED, row.key);
  }
  const position = kind === "progress" ? 0 : nextPosition(move, row.key);
  move
    .sql(
      "INSERT OR REPLACE INTO {notes} (key, position, time, attempt, fence, bytes) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .run(row.key, position, move.now, row.attempt, row.fence, bytes);
  if (position > KEPT_LINES) {
    move
      .sql("DELETE FROM {notes} WHERE key = ? AND position BETWEEN 1 AND ?")
      .run(row.key, position - KEPT_LINES);
  }
  return true;
}

function nextPosition(move: Move, key: string): number {
  const row = move.raw("SELECT max(position) FROM {notes} WHERE key = ?").get(key) as [number | null];
  return (row[0] ?? 0) + 1;
}

interface NoteRow {
  readonly time: number;
  readonly attempt: number;
  readonly fence: number;
  readonly bytes: Uint8Array;
}

/** The log of a job, oldest first. */
export function notes(connection: Connection, queue: OpenQueue, id: string): readonly NoteRecord[] {
  const row = jobById(connection, queue, id);
  if (row === undefined || (row.flags & NOTED) === 0) return [];
  const rows = connection
    .sql("SELECT time, attempt, fence, bytes FROM {notes} WHERE key = ? AND position > 0 ORDER BY position")
    .all(row.key) as NoteRow[];
  return rows.map((line) => recordOf("log", line));
}

/** The last progress of a job. */
export function progressOf(connection: Connection, key: string): NoteRecord | undefined {
  const row = connection
    .sql("SELECT time, attempt, fence, bytes FROM {notes} WHERE key = ? AND position = 0")
    .get(key) as NoteRow | undefined;
  return row === undefined ? undefined : recordOf("progress", row);
}

function recordOf(kind: NoteRecord["kind"], { time, attempt, fence, bytes }: NoteRow): NoteRecord {
  return { kind, time, attempt, fence, bytes: bytesOf(bytes) };
}
