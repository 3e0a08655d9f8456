import type { Connection } from "./connection.js";
import { number, textIfAny } from "./columns.js";
import type { OpenQueue } from "./open-queue.js";
import {
  JOIN,
  keyOf,
  keyOfId,
  metaOf,
  NAMED,
  ROW_COLUMNS,
  rowOf,
  type Key,
  type Row,
  type RowValues,
} from "./row.js";
import { splitId } from "@taskq/core/storage";

const ROW_BY_KEY = `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE key = ?`;
const ROW_OF_QUEUE = `${ROW_BY_KEY} AND queue = ?`;
const ROW_BY_ID = `${ROW_BY_KEY} AND random = ? AND queue = ?`;

export function rowByKey(connection: Connection, key: Key): Row | undefined {
  const values = connection.raw(ROW_BY_KEY).get(key) as RowValues | undefined;
  return values === undefined ? undefined : rowOf(values);
}

/** A name that the caller gave, and the job or what is remembered of it. */
export interface NameRow {
  readonly key: Key | null;
  readonly task: string;
  readonly state: number | null;
  readonly until: number;
}

/** One whose job somebody has removed by hand is known no more. */
export function nameRow(connection: Connection, queue: OpenQueue, name: string): NameRow | undefined {
  return connection
    .sql(
      "SELECT CAST(key AS TEXT) AS key, task, state, until FROM {names} WHERE queue = ? AND name = ? " +
        "AND (key IS NULL OR EXISTS (SELECT 1 FROM {jobs} WHERE key = {names}.key AND queue = {names}.queue))",
    )
    .get(queue.id, name) as NameRow | undefined;
}

/** Whether it is found by its name alone. One into which somebody has written, so that it no longer says its name, goes by its key. */
function hasName(flags: number, meta: string | null): boolean {
  return (flags & NAMED) !== 0 && metaOf({ meta }).name !== undefined;
}

/** The key of a stored id, whether it was generated or given. */
export function keyById(connection: Connection, queue: OpenQueue, id: string): Key | undefined {
  const parts = splitId(id);
  if (parts !== undefined) {
    const found = connection
      .raw(
        `SELECT flags, CASE WHEN flags & ${NAMED} THEN meta END FROM {jobs} ` +
          "WHERE key = (? << 21) | ? AND random = ? AND queue = ?",
      )
      .get(parts.time, parts.low, parts.random, queue.id) as [unknown, unknown] | undefined;
    if (found !== undefined && !hasName(number(found[0]), textIfAny(found[1])))
      return keyOf(parts.time, parts.low);
  }
  return nameRow(connection, queue, id)?.key ?? undefined;
}

/** The row of an id; `undefined` for one that is not known, or whose random part differs. */
export function rowById(connection: Connection, queue: OpenQueue, id: string): Row | undefined {
  const parts = keyOfId(id);
  if (parts !== undefined) {
    const values = connection.raw(ROW_BY_ID).get(parts.key, parts.random, queue.id) as RowValues | undefined;
    const row = values === undefined ? undefined : rowOf(values);
    if (row !== undefined && !hasName(row.flags, row.meta)) return row;
  }
  const key = nameRow(connection, queue, id)?.key;
  if (key === undefined || key === null) return undefined;
  const values = connection.raw(ROW_OF_QUEUE).get(key, queue.id) as RowValues | undefined;
  return values === undefined ? undefined : rowOf(values);
}

/** The row of a job, not of a join. */
export function jobById(connection: Connection, queue: OpenQueue, id: string): Row | undefined {
  const row = rowById(connection, queue, id);
  return row === undefined || (row.flags & JOIN) !== 0 ? undefined : row;
}
