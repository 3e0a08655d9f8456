/** What a queue has done, as it goes to another storage: starts under limits, and statistics. */
import type { Connection } from "./connection.js";
import type { After, Exporting, Placed } from "./moved-section.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { LIMIT } from "./starts.js";
import { addRow } from "./stats.js";
import { statsRow, type StatsColumns } from "./stats-reading.js";

const STARTS =
  "SELECT gate, time, fence, holder, until FROM {starts} WHERE queue = ? AND (gate, time, fence, holder) > (?, ?, ?, ?) " +
  "ORDER BY gate, time, fence, holder LIMIT ? + 0";

export function starts({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.raw(STARTS).all(queue.id, ...after, limit) as [
    string,
    number,
    number,
    string,
    number,
  ][];
  return found.map(([gate, time, fence, holder, until]) => [
    { kind: "start", key: gate.slice(LIMIT.length), time, holder, fence, until },
    [gate, time, fence, holder],
  ]);
}

const STATS =
  "SELECT task, minute, completed, failed, retried, wait, run FROM {stats} WHERE queue = ? " +
  "AND (minute, task) > (?, ?) ORDER BY minute, task LIMIT ? + 0";

export function statistics({ connection, queue }: Exporting, after: After, limit: number): readonly Placed[] {
  const found = connection.raw(STATS).all(queue.id, ...after, limit) as StatsColumns[];
  return found.map((columns) => {
    const row = statsRow(columns);
    return [{ kind: "stats", ...row }, [row.minute, row.task]];
  });
}

/**
 * Under which number the history stands that has come to a queue, until that opens: its own goes on beside it, and the
 * same record may come again. Queues themselves count from 1 on.
 */
export function arrivedId({ id }: OpenQueue): number {
  return -id;
}

/** Forgets what has come, or what the queue itself has done. */
export function forgetHistory(move: Move, id: number): void {
  for (const table of ["starts", "stats"]) move.sql(`DELETE FROM {${table}} WHERE queue = ?`).run(id);
}

/** Adds what has come to what the queue has done by itself. */
export function mergeHistory(move: Move): void {
  mergeStarts(move);
  mergeStats(move);
  forgetHistory(move, arrivedId(move.queue));
}

function mergeStarts({ queue, scope: { connection } }: Move): void {
  const [own, arrived] = [queue.id, arrivedId(queue)];
  const both = connection
    .raw(
      "SELECT DISTINCT gate FROM {starts} WHERE queue = ? AND gate IN (SELECT gate FROM {starts} WHERE queue = ?)",
    )
    .all(own, arrived) as [string][];
  connection.sql("UPDATE OR IGNORE {starts} SET queue = ? WHERE queue = ?").run(own, arrived);
  for (const [gate] of both) keepLongest(connection, own, gate);
}

/** All starts of a gate are kept for the longest window that anybody has asked for, here or where they come from. */
function keepLongest(connection: Connection, queue: number, gate: string): void {
  const [longest] = connection
    .raw("SELECT max(until - time) FROM {starts} WHERE queue = ? AND gate = ?")
    .get(queue, gate) as [number];
  connection
    .sql("UPDATE {starts} SET until = time + ? WHERE queue = ? AND gate = ? AND until <> time + ?")
    .run(longest, queue, gate, longest);
}

function mergeStats(move: Move): void {
  const arrived = arrivedId(move.queue);
  move.sql("UPDATE OR IGNORE {stats} SET queue = ? WHERE queue = ?").run(move.queue.id, arrived);
  const both = move
    .raw("SELECT task, minute, completed, failed, retried, wait, run FROM {stats} WHERE queue = ?")
    .all(arrived) as StatsColumns[];
  for (const columns of both) addRow(move, statsRow(columns));
}
