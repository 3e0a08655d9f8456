import type { AttemptRecord, JobDetail, JobRecord, JoinRecord, StoredRecord } from "@taskq/core/storage";
import { BODY } from "./bodies.js";
import { bytesIfAny } from "./bytes.js";
import type { Connection } from "./connection.js";
import { MEMBER } from "./edge-rows.js";
import { asSkipped } from "./dead.js";
import { progressOf } from "./note.js";
import type { OpenQueue } from "./open-queue.js";
import { ownerName } from "./owners.js";
import {
  ALL_OUTCOMES,
  ATTEMPTED,
  enqueuedAt,
  FOLLOWED,
  FOLLOWER,
  gateLabel,
  idOf,
  isFinalState,
  JOIN,
  NOTED,
  stateName,
  type Key,
  type Row,
} from "./row.js";
import { rowById } from "./rows.js";

/** The record of an id; `undefined` for one that is not known. */
export function readId(
  connection: Connection,
  queue: OpenQueue,
  id: string,
  whole: boolean,
): StoredRecord | undefined {
  const row = rowById(connection, queue, id);
  if (row === undefined) return undefined;
  const shown = asSkipped(connection, row);
  return (row.flags & JOIN) === 0 ? jobRecord(connection, shown, whole) : joinRecord(connection, shown);
}

export function jobRecord(connection: Connection, row: Row, whole: boolean): JobRecord {
  return {
    kind: "job",
    id: idOf(row),
    task: row.task,
    state: stateName(row.state),
    priority: row.priority,
    enqueuedAt: enqueuedAt(row),
    due: row.due,
    expiresAt: row.expires ?? undefined,
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    fence: Math.abs(row.fence),
    owner: ownerName(connection, row.owner),
    startedAt: row.started ?? undefined,
    finishedAt: row.ended ?? undefined,
    bytes: isFinalState(row.state) ? blobOf(connection, row.key, "result") : undefined,
    reason: row.reason ?? undefined,
    cause: row.cause ?? undefined,
    gate: row.gate === null || row.gate === "" ? undefined : gateLabel(row.gate),
    detail: whole ? detailOf(connection, row) : undefined,
  };
}

function blobOf(connection: Connection, key: Key, column: string): Uint8Array | undefined {
  const row = connection.raw(`SELECT ${column} FROM {jobs} WHERE key = ?`).get(key) as [Uint8Array | null];
  return bytesIfAny(row[0]);
}

function detailOf(connection: Connection, row: Row): JobDetail {
  return {
    body: blobOf(connection, row.key, BODY) ?? new Uint8Array(0),
    attempts: (row.flags & ATTEMPTED) === 0 ? [] : attemptsOf(connection, row.key),
    progress: (row.flags & NOTED) === 0 ? undefined : progressOf(connection, row.key),
    before: (row.flags & FOLLOWER) === 0 ? [] : sourceIds(connection, row.key),
    after: (row.flags & FOLLOWED) === 0 ? [] : targetIds(connection, row.key),
  };
}

interface AttemptRow {
  readonly attempt: number;
  readonly fence: number;
  readonly owner: string;
  readonly started: number;
  readonly ended: number | null;
  readonly error: Uint8Array | null;
}

function attemptsOf(connection: Connection, key: Key): readonly AttemptRecord[] {
  const rows = connection
    .sql("SELECT attempt, fence, owner, started, ended, error FROM {attempts} WHERE key = ? ORDER BY fence")
    .all(key) as AttemptRow[];
  return rows.map(({ attempt, fence, owner, started, ended, error }) => ({
    attempt,
    fence,
    owner,
    startedAt: started,
    endedAt: ended ?? undefined,
    error: bytesIfAny(error),
  }));
}

function sourceIds(connection: Connection, key: Key): readonly string[] {
  const rows = connection
    .raw("SELECT id FROM {edges} WHERE target = ? AND condition < 3 ORDER BY position")
    .all(key) as [string][];
  return rows.map(([id]) => id);
}

function targetIds(connection: Connection, key: Key): readonly string[] {
  const rows = connection
    .raw("SELECT DISTINCT follower FROM {edges} WHERE source = ? AND condition < 5")
    .all(key) as [string][];
  return rows.map(([id]) => id);
}

function joinRecord(connection: Connection, row: Row): JoinRecord {
  const members = connection
    .raw("SELECT id FROM {edges} WHERE target = ? AND condition = ? ORDER BY position")
    .all(row.key, MEMBER) as [string][];
  return {
    kind: "join",
    id: idOf(row),
    mode: (row.flags & ALL_OUTCOMES) === 0 ? "all" : "settled",
    state: stateName(row.state),
    members: members.map(([id]) => id),
    reason: row.reason ?? undefined,
    cause: row.cause ?? undefined,
    enqueuedAt: enqueuedAt(row),
    finishedAt: row.ended ?? undefined,
  };
}
