import { setImmediate as nextTurn } from "node:timers/promises";
import { placeOfGone, type JobRecord, type ListAnswer, type ListRequest } from "@taskq/core/storage";
import type { Connection, Reader } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { asSkipped } from "./dead.js";
import { endOfPart, LAST_KEY } from "./part.js";
import { jobRecord } from "./read.js";
import {
  ACTIVE,
  JOIN,
  keyOf,
  ROW_COLUMNS,
  rowOf,
  stateName,
  STATES,
  type Key,
  type Row,
  type RowValues,
} from "./row.js";
import { nameRow } from "./rows.js";

/** The most jobs of one page. */
const LONGEST_PAGE = 1000;
/** Rows looked at in one go: no reader holds the log for longer. */
const ROWS_AT_ONCE = 2000;
/** The fewest rows that one statement asks for. */
const FEWEST_ROWS = 64;

/** A page of jobs in the order of enqueue. Between its parts others may write. */
export async function list(read: Reader, queue: OpenQueue, request: ListRequest): Promise<ListAnswer> {
  const limit = Math.max(1, Math.min(request.limit, LONGEST_PAGE));
  const records: JobRecord[] = [];
  let part = await read((connection) =>
    partOf(connection, queue, { request, from: cursorOf(connection, queue, request.after), most: limit + 1 }),
  );
  for (;;) {
    records.push(...part.records);
    if (records.length > limit) return { records: records.slice(0, limit), after: records[limit - 1]?.id };
    const { end } = part;
    if (end === undefined) return { records, after: undefined };
    await nextTurn();
    const most = limit + 1 - records.length;
    part = await read((connection) => partOf(connection, queue, { request, from: end, most }));
  }
}

interface Looking {
  readonly request: ListRequest;
  readonly from: Key;
  /** Records that are read at most. */
  readonly most: number;
}

/** What there is in one part of the rows, and where it ends; `undefined`: it is the last one. */
function partOf(
  connection: Connection,
  queue: OpenQueue,
  { request, from, most }: Looking,
): { readonly records: readonly JobRecord[]; readonly end: Key | undefined } {
  const isFiltered = request.states !== undefined || request.task !== undefined;
  const end = endOfPart(connection, from, isFiltered ? ROWS_AT_ONCE : most);
  const records: JobRecord[] = [];
  // Rows are read whole, so no more of them than a page may need: most often all are such as are asked for.
  const count = Math.max(most, FEWEST_ROWS);
  for (let last: Key | undefined = from; last !== undefined;) {
    const rows: readonly Row[] = rowsOf(connection, queue, { request, from: last, end, count });
    for (const row of rows) {
      const shown = asSkipped(connection, row);
      if (isAsked(shown, request)) records.push(jobRecord(connection, shown, true));
      if (records.length === most) return { records, end };
    }
    last = rows.length < count ? undefined : rows.at(-1)?.key;
  }
  return { records, end };
}

interface Part {
  readonly request: ListRequest;
  readonly from: Key;
  readonly end: Key | undefined;
  readonly count: number;
}

/** Of the states that are asked for; with those that may count as skipped, which only a look at their joins tells. */
function rowsOf(
  connection: Connection,
  queue: OpenQueue,
  { request: { task, states = STATES }, from, end = LAST_KEY, count }: Part,
): Row[] {
  const mask = states.reduce((bits, state) => bits | (1 << STATES.indexOf(state)), 0);
  const alsoDead = states.includes("skipped") ? 1 : 0;
  const alsoDamaged = states.includes("quarantined") ? 1 : 0;
  const filter = task === undefined ? "" : "AND task = ? ";
  const rows = connection
    .raw(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE key > ? AND key <= ? AND queue = ? AND flags & ${JOIN} = 0 ` +
        `AND ((? >> state) & 1 OR (? AND state < ${ACTIVE} AND trunk IS NOT NULL) ` +
        `OR (? AND state NOT IN (${STATES.map((_, state) => state).join(", ")}))) ` +
        `${filter}ORDER BY {jobs}.key LIMIT ? + 0`,
    )
    .all(
      from,
      end,
      queue.id,
      mask,
      alsoDead,
      alsoDamaged,
      ...(task === undefined ? [] : [task]),
      count,
    ) as RowValues[];
  return rows.map(rowOf);
}

function isAsked(row: Row, { states }: ListRequest): boolean {
  return states === undefined || states.includes(stateName(row.state));
}

function cursorOf(connection: Connection, queue: OpenQueue, after: string | undefined): Key {
  if (after === undefined) return "-1";
  const named = nameRow(connection, queue, after)?.key;
  if (named !== undefined && named !== null) return named;
  const { time, low } = placeOfGone(after);
  return keyOf(time, low);
}
