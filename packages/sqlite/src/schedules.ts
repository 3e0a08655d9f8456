import type { ScheduleRecord, SchedulesAnswer, SchedulesRequest } from "@taskq/core/storage";
import { bytesOf } from "./bytes.js";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";

type Change = NonNullable<SchedulesRequest["change"]>;
type Declaration = Extract<Change, { readonly kind: "declare" | "upsert" }>;

interface ScheduleRow {
  readonly name: string;
  readonly origin: "task" | "stored";
  readonly task: string;
  readonly bytes: Buffer;
  readonly paused: number;
  readonly last_at: number;
  readonly last_id: string | null;
}

const COLUMNS = "name, origin, task, bytes, paused, last_at, last_id";

/** The schedules of a queue, in the order of names; or the one of this name. */
export function listSchedules(
  connection: Connection,
  queue: OpenQueue,
  name?: string,
): readonly ScheduleRecord[] {
  if (name !== undefined) return [scheduleRow(connection, queue, name) ?? []].flat().map(recordOf);
  const rows = connection
    .sql(`SELECT ${COLUMNS} FROM {schedules} WHERE queue = ? ORDER BY name`)
    .all(queue.id) as ScheduleRow[];
  return rows.map(recordOf);
}

export function schedule({ scope, queue }: Move, name: string): ScheduleRecord | undefined {
  const row = scheduleRow(scope.connection, queue, name);
  return row === undefined ? undefined : recordOf(row);
}

function scheduleRow(connection: Connection, queue: OpenQueue, name: string): ScheduleRow | undefined {
  return connection
    .sql(`SELECT ${COLUMNS} FROM {schedules} WHERE queue = ? AND name = ?`)
    .get(queue.id, name) as ScheduleRow | undefined;
}

function recordOf(row: ScheduleRow): ScheduleRecord {
  return {
    name: row.name,
    origin: row.origin,
    task: row.task,
    bytes: bytesOf(row.bytes),
    paused: row.paused === 1,
    lastAt: row.last_at,
    lastId: row.last_id ?? undefined,
  };
}

/** Changes one, and answers it. */
export function changeSchedule(move: Move, change: Change): SchedulesAnswer {
  const changed = apply(move, change);
  if (changed) move.scope.hintsOf(move.queue).control = true;
  return { changed, schedules: listSchedules(move.scope.connection, move.queue, change.name) };
}

/** Whether a change would change nothing: then it needs no write. */
export function isUnchanged(connection: Connection, queue: OpenQueue, change: Change): boolean {
  const row = scheduleRow(connection, queue, change.name);
  if (row === undefined) return change.kind !== "declare" && change.kind !== "upsert";
  if (change.kind === "declare" || change.kind === "upsert") return isSame(recordOf(row), change);
  return change.kind !== "remove" && (row.paused === 1) === (change.kind === "pause");
}

function apply(move: Move, change: Change): boolean {
  switch (change.kind) {
    case "declare":
    case "upsert":
      return define(move, change);
    case "pause":
      return (
        move
          .sql("UPDATE {schedules} SET paused = 1 WHERE queue = ? AND name = ? AND paused = 0")
          .run(move.queue.id, change.name).changes > 0
      );
    case "resume":
      // It goes on from now: what passed meanwhile was not missed.
      return (
        move
          .sql(
            "UPDATE {schedules} SET paused = 0, last_at = max(last_at, ?) WHERE queue = ? AND name = ? AND paused = 1",
          )
          .run(move.now, move.queue.id, change.name).changes > 0
      );
    case "remove":
      return (
        move.sql("DELETE FROM {schedules} WHERE queue = ? AND name = ?").run(move.queue.id, change.name)
          .changes > 0
      );
  }
}

/** One that is new, or put in place of another, starts now. */
function define(move: Move, change: Declaration): boolean {
  const before = schedule(move, change.name);
  if (before !== undefined && isSame(before, change)) return false;
  const goesOn = before !== undefined && change.kind === "declare";
  move
    .sql(
      "INSERT OR REPLACE INTO {schedules} (queue, name, origin, task, bytes, paused, last_at, last_id) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      move.queue.id,
      change.name,
      change.origin,
      change.task,
      change.bytes,
      goesOn && before.paused ? 1 : 0,
      goesOn ? before.lastAt : move.now,
      before?.lastId ?? null,
    );
  return true;
}

function isSame(before: ScheduleRecord, { origin, task, bytes }: Declaration): boolean {
  return before.origin === origin && before.task === task && Buffer.compare(before.bytes, bytes) === 0;
}
