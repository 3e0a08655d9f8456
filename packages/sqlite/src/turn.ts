/**
 * Two counters of a queue that each claim writes: of claims, and of completed jobs. They stand among the leases, in the
 * row whose id is the queue's, negative: a claim writes that page anyway, and one page less a step is a good part of a
 * small step.
 */
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";

/** Makes the row, unless it is there. */
export function makeTurns(connection: Connection, queue: number): void {
  connection
    .sql(
      "INSERT OR IGNORE INTO {leases} (id, queue, fence, owner, request, until, length, jobs) " +
        "VALUES (?, ?, 0, 0, 0, 0, 0, x'')",
    )
    .run(-queue, -queue);
}

/** The number of a new claim. `completed` is added to the jobs that were. */
export function nextTurn(connection: Connection, queue: OpenQueue, completed: number): number {
  const row = connection
    .raw("UPDATE {leases} SET fence = fence + 1, completed = completed + ? WHERE id = ? RETURNING fence")
    .get(completed, -queue.id) as [number];
  return row[0];
}

export function addCompleted(connection: Connection, queue: OpenQueue, completed: number): void {
  connection.sql("UPDATE {leases} SET completed = completed + ? WHERE id = ?").run(completed, -queue.id);
}

export function forgetCompleted(connection: Connection, queue: OpenQueue): void {
  connection.sql("UPDATE {leases} SET completed = 0 WHERE id = ?").run(-queue.id);
}

/** Completed jobs that are kept. */
export function completedOf(connection: Connection, queue: OpenQueue): number {
  const row = connection.raw("SELECT completed FROM {leases} WHERE id = ?").get(-queue.id) as [number];
  return row[0];
}
