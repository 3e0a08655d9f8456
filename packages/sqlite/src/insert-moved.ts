import { createHash } from "node:crypto";
import {
  splitId,
  type MovedAttempt,
  type MovedControl,
  type MovedEdge,
  type MovedHold,
  type MovedName,
  type MovedNote,
  type MovedRecord,
  type MovedSchedule,
  type MovedUnique,
  type MovedValue,
} from "@taskq/core/storage";
import { MEMBER, MEMBER_ADDED, ON_COMPLETED, ON_FAILED, ON_SETTLED, TURN } from "./edge-rows.js";
import { ticketHolder } from "./gates.js";
import { insertStart, insertStats } from "./insert-moved-history.js";
import { insertMovedRow } from "./insert-moved-row.js";
import type { Move } from "./move.js";
import { insertEvent, insertFeed } from "./moved-feed.js";
import { ATTEMPTED, BLOCKED, FOLLOWED, isFinalState, NOTED, STATES, type Key } from "./row.js";
import { keyById, rowByKey, rowById } from "./rows.js";

/** Stores one record of another storage; one that is there stays as it is. */
export function insertMoved(move: Move, record: MovedRecord): void {
  switch (record.kind) {
    case "job":
    case "join":
      return insertMovedRow(move, record);
    case "edge":
      return insertEdge(move, record);
    case "attempt":
      return insertAttempt(move, record);
    case "note":
      return insertNote(move, record);
    case "name":
      return insertName(move, record);
    case "unique":
      return insertUnique(move, record);
    case "hold":
      return insertHold(move, record);
    case "schedule":
      return insertSchedule(move, record);
    case "control":
      return insertControl(move, record);
    case "value":
      return insertValue(move, record);
    case "start":
      return insertStart(move, record);
    case "stats":
      return insertStats(move, record);
    case "feed":
      return insertFeed(move, record);
    case "event":
      return insertEvent(move, record);
  }
}

const CONDITIONS = {
  completed: ON_COMPLETED,
  failed: ON_FAILED,
  settled: ON_SETTLED,
  member: MEMBER,
  added: MEMBER_ADDED,
  turn: TURN,
} as const;

/** A blocked target waits for it, unless its source is final. */
function insertEdge(move: Move, edge: MovedEdge): void {
  const target = rowById(move.scope.connection, move.queue, edge.target);
  const condition = CONDITIONS[edge.on];
  const sourceKey = keyById(move.scope.connection, move.queue, edge.source) ?? keyOfGone(edge.source);
  const source = rowByKey(move.scope.connection, sourceKey);
  const met = source === undefined || isFinalState(source.state) ? 1 : 0;
  const { changes } = move
    .sql(
      "INSERT OR IGNORE INTO {edges} (source, target, position, condition, met, id, follower, member) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      sourceKey,
      target?.key ?? keyOfGone(edge.target),
      edge.position,
      condition,
      condition === TURN ? 0 : met,
      edge.source,
      condition === TURN ? "" : edge.target,
      edge.member === undefined ? null : (keyById(move.scope.connection, move.queue, edge.member) ?? null),
    );
  if (changes === 0) return;
  addFlags(move, sourceKey, FOLLOWED);
  if (met === 1 || condition === TURN || target?.state !== BLOCKED) return;
  move.sql("UPDATE {jobs} SET pending = pending + 1 WHERE key = ?").run(target.key);
}

/** No row has it, so that whoever looks for the source finds that it is gone. */
function keyOfGone(id: string): Key {
  const parts = splitId(id);
  if (parts !== undefined) return ((BigInt(parts.time) << 21n) | BigInt(parts.low)).toString();
  return (-1n - createHash("sha256").update(id).digest().readBigUInt64BE() / 4n).toString();
}

function addFlags(move: Move, key: Key, flags: number): void {
  move.sql("UPDATE {jobs} SET flags = flags | ? WHERE key = ?").run(flags, key);
}

function insertAttempt(
  move: Move,
  { id, attempt, fence, owner, startedAt, endedAt, error }: MovedAttempt,
): void {
  const key = keyById(move.scope.connection, move.queue, id);
  if (key === undefined) return;
  addFlags(move, key, ATTEMPTED);
  move
    .sql(
      "INSERT OR IGNORE INTO {attempts} (key, fence, attempt, owner, started, ended, error) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .run(key, fence, attempt, owner, startedAt, endedAt ?? null, error ?? null);
}

function insertNote(move: Move, { id, position, note }: MovedNote): void {
  const key = keyById(move.scope.connection, move.queue, id);
  if (key === undefined) return;
  addFlags(move, key, NOTED);
  move
    .sql(
      "INSERT OR IGNORE INTO {notes} (key, position, time, attempt, fence, bytes) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .run(key, position, note.time, note.attempt, note.fence, note.bytes);
}

function insertName(move: Move, { id, task, state, until }: MovedName): void {
  move
    .sql("INSERT OR IGNORE INTO {names} (queue, name, key, task, state, until) VALUES (?, ?, NULL, ?, ?, ?)")
    .run(move.queue.id, id, task, STATES.indexOf(state), until);
}

function insertUnique(move: Move, { key, holder, state, until, waiting }: MovedUnique): void {
  const { connection } = move.scope;
  const holderKey = keyById(connection, move.queue, holder);
  const gone = holderKey === undefined;
  move
    .sql(
      "INSERT OR REPLACE INTO {uniques} (queue, name, holder, id, state, waiting, until) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      move.queue.id,
      key,
      holderKey ?? keyOfGone(holder),
      gone ? holder : null,
      gone ? STATES.indexOf(state ?? "completed") : null,
      waiting === undefined ? null : (keyById(connection, move.queue, waiting) ?? null),
      until ?? null,
    );
  if (until !== undefined) move.wakeAt(until);
}

function insertHold(move: Move, { gate, ticket, owner, fence, expiresAt }: MovedHold): void {
  move
    .sql(
      "INSERT OR REPLACE INTO {holders} (queue, gate, holder, owner, fence, expires) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .run(move.queue.id, gate, ticketHolder(ticket), owner, fence, expiresAt);
  move.wakeAt(expiresAt);
}

function insertSchedule(
  move: Move,
  { name, origin, task, bytes, paused, lastAt, lastId }: MovedSchedule,
): void {
  move
    .sql(
      "INSERT OR REPLACE INTO {schedules} (queue, name, origin, task, bytes, paused, last_at, last_id) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(move.queue.id, name, origin, task, bytes, paused ? 1 : 0, lastAt, lastId ?? null);
}

function insertControl(move: Move, { task, paused, revoked, once, until }: MovedControl): void {
  move
    .sql(
      "INSERT OR REPLACE INTO {controls} (queue, task, paused, revoked, once, until) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .run(move.queue.id, task ?? "", paused ? 1 : 0, revoked ? 1 : 0, once ? 1 : 0, until ?? null);
}

function insertValue(move: Move, { key, value, expiresAt }: MovedValue): void {
  const isNumber = typeof value === "number";
  move
    .sql("INSERT OR REPLACE INTO {values} (queue, name, bytes, number, expires) VALUES (?, ?, ?, ?, ?)")
    .run(move.queue.id, key, isNumber ? null : value, isNumber ? value : null, expiresAt ?? null);
}
