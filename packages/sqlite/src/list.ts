import type { JobRecord, ListAnswer, ListRequest } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { asSkipped } from "./dead.js";
import { jobRecord } from "./read.js";
import { JOIN, keyOf, ROW_COLUMNS, stateName, type Key, type Row } from "./row.js";
import { nameRow } from "./rows.js";
import { splitId, TaskqError } from "@taskq/core/storage";

/** The most jobs of one page. */
const LONGEST_PAGE = 1000;
/** Rows looked at in one go: no reader holds the log for longer. */
const ROWS_AT_ONCE = 2000;

/** A page of jobs in the order of enqueue. Between its parts others may write. */
export async function list(
  connection: Connection,
  queue: OpenQueue,
  request: ListRequest,
): Promise<ListAnswer> {
  const limit = Math.max(1, Math.min(request.limit, LONGEST_PAGE));
  const records: JobRecord[] = [];
  let cursor = cursorOf(connection, queue, request.after);
  for (;;) {
    const rows = pageOf(connection, queue, cursor, request);
    for (const row of rows) {
      cursor = row.key;
      const shown = asSkipped(connection, row);
      if (!isAsked(shown, request)) continue;
      if (records.length === limit) return { records, after: records.at(-1)?.id };
      records.push(jobRecord(connection, shown, true));
    }
    if (rows.length < ROWS_AT_ONCE) return { records, after: undefined };
    await new Promise(setImmediate);
  }
}

function pageOf(connection: Connection, queue: OpenQueue, cursor: Key, { task }: ListRequest): Row[] {
  const filter = task === undefined ? "" : "AND task = ? ";
  return connection
    .sql(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE key > ? AND queue = ? AND flags & ${JOIN} = 0 ${filter}` +
        `ORDER BY {jobs}.key LIMIT ${ROWS_AT_ONCE}`,
    )
    .all(...(task === undefined ? [cursor, queue.id] : [cursor, queue.id, task])) as Row[];
}

function isAsked(row: Row, { states }: ListRequest): boolean {
  return states === undefined || states.includes(stateName(row.state));
}

function cursorOf(connection: Connection, queue: OpenQueue, after: string | undefined): Key {
  if (after === undefined) return "-1";
  const named = nameRow(connection, queue, after)?.key;
  if (named !== undefined && named !== null) return named;
  const parts = splitId(after);
  if (parts !== undefined) return keyOf(parts.time, parts.low);
  throw new TaskqError(
    "TASKQ_OPTION",
    `list: expected 'after' to be the id of a job, got '${after}', which is not known`,
  );
}
