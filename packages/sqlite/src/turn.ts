/**
 * Two counters of a queue that each claim writes: of claims, and of completed jobs. They stand among the leases, in the
 * row whose id is the queue's, negative: a claim writes that page anyway, and one page less a step is a good part of a
 * small step.
 */
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { COMPLETED, JOIN } from "./row.js";

/** Makes the row, unless it is there. */
export function makeTurns(connection: Connection, queue: number): void {
  connection
    .sql(
      "INSERT OR IGNORE INTO {leases} (id, queue, fence, owner, request, until, length, jobs) " +
        "VALUES (?, ?, 0, 0, 0, 0, 0, x'')",
    )
    .run(-queue, -queue);
}

const NEXT = "UPDATE {leases} SET fence = fence + 1, completed = completed + ? WHERE id = ? RETURNING fence";

/** The fence of a new claim: the epoch of the queue, and a number. `completed` is added to the jobs that were. */
export function nextFence(
  connection: Connection,
  queue: OpenQueue,
  epoch: number,
  completed: number,
): number {
  const row = connection.raw(NEXT).get(completed, -queue.id) as [number] | undefined;
  return row === undefined ? fenceOfNewEpoch(connection, queue, epoch + 1) : fenceOf(epoch, row[0]);
}

function fenceOf(epoch: number, number: number): number {
  return epoch * 2 ** 40 + number;
}

/** Somebody has removed the row, and with it the greatest number that was given: in a new epoch, all are greater. */
function fenceOfNewEpoch(connection: Connection, queue: OpenQueue, epoch: number): number {
  connection.sql("UPDATE {queues} SET epoch = ? WHERE id = ?").run(epoch, queue.id);
  makeTurns(connection, queue.id);
  const [completed] = connection
    .raw(`SELECT count(*) FROM {jobs} WHERE queue = ? AND state = ${COMPLETED} AND flags & ${JOIN} = 0`)
    .get(queue.id) as [number];
  return fenceOf(epoch, (connection.raw(NEXT).get(completed, -queue.id) as [number])[0]);
}

export function addCompleted(connection: Connection, queue: OpenQueue, completed: number): void {
  connection.sql("UPDATE {leases} SET completed = completed + ? WHERE id = ?").run(completed, -queue.id);
}

export function forgetCompleted(connection: Connection, queue: OpenQueue): void {
  connection.sql("UPDATE {leases} SET completed = 0 WHERE id = ?").run(-queue.id);
}

/** Completed jobs that are kept; none, as long as somebody has removed the row. */
export function completedOf(connection: Connection, queue: OpenQueue): number {
  const row = connection.raw("SELECT completed FROM {leases} WHERE id = ?").get(-queue.id);
  return (row as [number] | undefined)?.[0] ?? 0;
}
