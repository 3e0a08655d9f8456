import { systemClock, TaskqError, type OpenAnswer, type OpenRequest } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { isPhase, phaseName } from "./moving.js";
import type { TransactionScope } from "./transaction-scope.js";
import { beginLinesAnew } from "./unknown.js";
import { makeTurns } from "./turn.js";

interface QueueRow {
  readonly id: number;
  readonly epoch: number;
  readonly phase: number;
  readonly completed_for: number;
  readonly completed_max: number;
  readonly failed_for: number;
  readonly failed_max: number;
  readonly unknown_after: number | null;
}

export interface OpenedQueue {
  readonly id: number;
  readonly answer: OpenAnswer;
}

const COLUMNS = "id, epoch, phase, completed_for, completed_max, failed_for, failed_max, unknown_after";

/** The queue, if it is there with this retention. */
export function findQueue(
  connection: Connection,
  { queue, retention, unknownAfter }: OpenRequest,
): OpenedQueue | undefined {
  const row = connection.sql(`SELECT ${COLUMNS} FROM {queues} WHERE name = ?`).get(queue) as
    | QueueRow
    | undefined;
  const same =
    row !== undefined &&
    row.completed_for === retention.completed.for &&
    row.completed_max === retention.completed.max &&
    row.failed_for === retention.failed.for &&
    row.failed_max === retention.failed.max &&
    row.unknown_after === (unknownAfter ?? null);
  return same ? opened(connection, queue, row) : undefined;
}

/** Makes the queue, or changes its retention, and how long jobs of unknown tasks may wait. */
export function writeQueue(
  { connection }: TransactionScope,
  { queue, retention, unknownAfter, now = systemClock.now() }: OpenRequest,
): OpenedQueue {
  const before = connection.raw("SELECT unknown_after FROM {queues} WHERE name = ?").get(queue) as
    | [number | null]
    | undefined;
  const row = connection
    .sql(
      "INSERT INTO {queues} (name, completed_for, completed_max, failed_for, failed_max, unknown_after) " +
        "VALUES (?, ?, ?, ?, ?, ?) " +
        "ON CONFLICT (name) DO UPDATE SET completed_for = excluded.completed_for, " +
        "completed_max = excluded.completed_max, failed_for = excluded.failed_for, " +
        `failed_max = excluded.failed_max, unknown_after = excluded.unknown_after RETURNING ${COLUMNS}`,
    )
    .get(
      queue,
      retention.completed.for,
      retention.completed.max,
      retention.failed.for,
      retention.failed.max,
      unknownAfter ?? null,
    ) as QueueRow;
  if (before !== undefined && before[0] !== row.unknown_after) beginLinesAnew(connection, row.id, now);
  makeTurns(connection, row.id);
  return opened(connection, queue, row);
}

/** @throws `TASKQ_STORAGE` where somebody has written into what no claim can do without */
function opened(connection: Connection, queue: string, { id, epoch, phase }: QueueRow): OpenedQueue {
  if (!Number.isSafeInteger(epoch) || epoch < 0 || !isPhase(phase)) {
    throw new TaskqError(
      "TASKQ_STORAGE",
      `the SQLite file ${connection.path}: the row of the queue "${queue}" is damaged: expected an epoch and a phase that ` +
        `taskq stores, got ${String(epoch)} and ${String(phase)}`,
    );
  }
  return { id, answer: { epoch, phase: phaseName(phase) } };
}
