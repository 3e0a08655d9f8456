/** How long jobs may wait whose tasks nobody knows. */
import { CONSEQUENCES_PER_STEP } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { endIfExpired, finish } from "./final.js";
import type { Move } from "./move.js";
import { QUARANTINED, ROW_COLUMNS, type Row } from "./row.js";

/** The beginning of a line's name. */
const UNKNOWN = "task:";
/** A line is looked at no more often than so many times in the time that its jobs may wait. */
const LOOKS = 64;

/** Notes that jobs are parked under a gate without holders, until it has let all go; answers whether it is new. */
export function openLine(move: Move, gate: string): boolean {
  const { changes } = move
    .sql("INSERT OR IGNORE INTO {parking} (queue, gate) VALUES (?, ?)")
    .run(move.queue.id, gate);
  if (changes > 0) beginLineAnew(move, gate);
  return changes > 0;
}

/** From now on the jobs in the line may wait as long as the queue says, as somebody knows their task. */
export function beginLineAnew(move: Move, gate: string): void {
  if (gate.startsWith(UNKNOWN)) planLine(move, gate, waitOf(move.scope.connection, move.queue.id), move.now);
}

/** The same for all lines: the queue was paused, or says otherwise now. */
export function beginLinesAnew(connection: Connection, queue: number, now: number): void {
  const wait = waitOf(connection, queue);
  const until = wait === null ? null : now + wait;
  const { changes } = connection
    .sql("UPDATE {parking} SET until = ? WHERE queue = ? AND gate LIKE 'task:%'")
    .run(until, queue);
  if (changes === 0 || until === null) return;
  connection
    .sql("UPDATE {queues} SET wake = ? WHERE id = ? AND (wake IS NULL OR wake > ?)")
    .run(until, queue, until);
}

function waitOf(connection: Connection, queue: number): number | null {
  const row = connection.raw("SELECT unknown_after FROM {queues} WHERE id = ?").get(queue) as [number | null];
  return row[0];
}

function planLine(move: Move, gate: string, wait: number | null, from: number): void {
  if (wait === null) return;
  const until = Math.max(from + wait, move.now + Math.ceil(wait / LOOKS));
  move.sql("UPDATE {parking} SET until = ? WHERE queue = ? AND gate = ?").run(until, move.queue.id, gate);
  move.wakeAt(until);
}

/** Ends jobs that have waited too long for somebody who knows their task: a bounded number, the rest with the next step. */
export function endUnknown(move: Move, tasks: readonly string[], isPaused: boolean): void {
  const { connection } = move.scope;
  const lines = move
    .raw("SELECT gate FROM {parking} WHERE queue = ? AND until <= ? ORDER BY until")
    .all(move.queue.id, move.now) as [string][];
  if (lines.length === 0) return;
  if (isPaused) return beginLinesAnew(connection, move.queue.id, move.now);
  const wait = waitOf(connection, move.queue.id) ?? 0;
  const known = move.queue.knownTasks(tasks);
  let left = CONSEQUENCES_PER_STEP;
  for (const [gate] of lines) {
    if (known.has(gate.slice(UNKNOWN.length))) beginLineAnew(move, gate);
    else if (left > 0) left -= endLine(move, gate, { wait, limit: left });
  }
}

/** Ends the jobs of a line that have been due for so long; answers how many. */
function endLine(
  move: Move,
  gate: string,
  { wait, limit }: { readonly wait: number; readonly limit: number },
): number {
  const { id } = move.queue;
  const rows = move
    .sql(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE queue = ? AND gate = ? AND due <= ? AND state = 3 ` +
        "ORDER BY priority DESC, due, {jobs}.key LIMIT ? + 0",
    )
    .all(id, gate, move.now - wait, limit) as Row[];
  for (const row of rows) endRow(move, row);
  if (rows.length === limit) return rows.length;
  const [first] = move
    .raw("SELECT min(due) FROM {jobs} WHERE queue = ? AND gate = ? AND state = 3")
    .get(id, gate) as [number | null];
  if (first !== null) planLine(move, gate, wait, first);
  else {
    move.sql("DELETE FROM {parking} WHERE queue = ? AND gate = ?").run(id, gate);
    move.changeSeldom();
  }
  return rows.length;
}

function endRow(move: Move, row: Row): void {
  if (endIfExpired(move, row)) return;
  finish(move, row, QUARANTINED, { reason: "unknown-task", cause: null });
  move.effect(row, "quarantined", row);
}
