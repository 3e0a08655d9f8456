/** Rows that may be claimed, as they are read. */
import { BODY, bodyApart } from "./bodies.js";
import { bytesOf } from "./bytes.js";
import { isTooLarge, isUntold } from "./failure.js";
import type { Move } from "./move.js";
import { APART } from "./row.js";

/** In the order of `COLUMNS`. */
export type ReadyRow = [
  time: number,
  low: number,
  random: number,
  task: string,
  attempt: number,
  failures: number,
  crashes: number,
  priority: number,
  due: number,
  expires: number | null,
  flags: number,
  enqueued: number | null,
  meta: string | null,
  body: Uint8Array,
];

const COLUMNS =
  "key >> 21, key & 2097151, random, task, attempt, failures, crashes, priority, due, expires, flags, enqueued, meta";

/**
 * First by priority, then by time. Added to, the limit is no bare parameter: for one of those SQLite prepares the
 * statement anew with each value, which takes five times as long as the look itself.
 */
const FIRST =
  "FROM {jobs} WHERE queue = ? AND state = 0 ORDER BY priority DESC, due, {jobs}.key LIMIT ? + 0 OFFSET ?";

const READ = `SELECT ${COLUMNS}, ${BODY} ${FIRST}`;

/** The same, while members of failed joins are not all written down: those are passed over. */
const READ_ALIVE = READ.replace(
  "AND state = 0 ",
  "AND state = 0 AND (trunk IS NULL OR trunk NOT IN (SELECT key FROM {doomed})) ",
);

/**
 * Many rows as one row: their columns as JSON, their bodies behind each other. Handed over one by one, each body costs
 * as much as all else of its row. Of a body that somebody has made text, the characters would not be the bytes.
 */
const READ_MANY =
  "SELECT json_group_array(json_array(time, low, random, task, attempt, failures, crashes, priority, due, expires, " +
  "flags, enqueued, meta, octet_length(body))), CAST(group_concat(CAST(body AS TEXT), '') AS BLOB) " +
  "FROM (SELECT key >> 21 AS time, key & 2097151 AS low, random, task, attempt, failures, crashes, priority, due, " +
  `expires, flags, enqueued, meta, ${BODY} AS body ${FIRST})`;

/** From this number on, rows are read and claimed together. Measured: below it, one by one is as quick. */
export const MANY = 8;

/** Bytes of bodies after which a claim takes no more rows: they are there for the next one. */
const MOST_BYTES = 64 * 1024 * 1024;

export interface ReadyRows {
  readonly rows: readonly ReadyRow[];
  /** Whether those behind them were left because these are large. */
  readonly isCut: boolean;
}

interface Asked {
  readonly doomed: boolean;
  readonly limit: number;
  readonly offset: number;
}

/** Up to `limit` rows behind the first `offset`, without the members of failed joins if there are `doomed` ones. */
export function readyRows(move: Move, asked: Asked): ReadyRows {
  // Bytes as text and back are the same bytes in the encoding of the file only if that is UTF-8.
  const asMany = !asked.doomed && asked.limit >= MANY && move.scope.connection.isUtf8;
  if (!asMany) return { rows: allOf(move, asked), isCut: false };
  if (move.queue.claimsLarge) return fittingOf(move, asked);
  const many = asOne(move, asked);
  if (many === "large") {
    move.queue.claimsLarge = true;
    return fittingOf(move, asked);
  }
  if (many === undefined) return { rows: allOf(move, asked), isCut: false };
  const [json, bodies] = many;
  if (bodies === null) return { rows: [], isCut: false };
  move.queue.claimsLarge = bodies.length > MOST_BYTES;
  return { rows: withBodies(JSON.parse(json) as unknown[][], bodies), isCut: false };
}

function allOf(move: Move, { doomed, limit, offset }: Asked): ReadyRow[] {
  return move.raw(doomed ? READ_ALIVE : READ).all(move.queue.id, limit, offset) as ReadyRow[];
}

const READ_WITHOUT = `SELECT ${COLUMNS}, body ${FIRST}`;

/** As many as fit into memory, once a claim was large: each large body is read by itself. */
function fittingOf(move: Move, { limit, offset }: Asked): ReadyRows {
  const { queue } = move;
  const rows = move.raw(READ_WITHOUT).all(queue.id, limit, offset) as ReadyRow[];
  let left = MOST_BYTES;
  for (const [index, row] of rows.entries()) {
    if ((row[FLAGS_AT] & APART) === 0) continue;
    if (left <= 0) return { rows: rows.slice(0, index), isCut: true };
    row[BODY_AT] = bodyApart(move, row, row[BODY_AT]);
    left -= row[BODY_AT].length;
  }
  queue.claimsLarge = false;
  return { rows, isCut: false };
}

/**
 * `undefined`: one of them cannot be told in JSON, since somebody has made bytes of what is text. `large`: together they
 * are more than SQLite hands over.
 */
function asOne(
  move: Move,
  { limit, offset }: Asked,
): readonly [json: string, bodies: Uint8Array | null] | "large" | undefined {
  try {
    return move.raw(READ_MANY).get(move.queue.id, limit, offset) as [string, Uint8Array | null];
  } catch (error) {
    if (isUntold(error)) return undefined;
    if (isTooLarge(error)) return "large";
    throw error;
  }
}

/** The row of a key that is ready. */
export function readyRow(move: Move, key: string): ReadyRow {
  return move.raw(`SELECT ${COLUMNS}, ${BODY} FROM {jobs} WHERE key = ?`).get(key) as ReadyRow;
}

/** The row of a key that is active under a fence. */
export function activeRow(move: Move, key: string, fence: number): ReadyRow | undefined {
  const row = move
    .raw(`SELECT ${COLUMNS}, ${BODY} FROM {jobs} WHERE key = ? AND state = 4 AND fence = ?`)
    .get(key, fence);
  return row as ReadyRow | undefined;
}

function withBodies(rows: unknown[][], bodies: Uint8Array): ReadyRow[] {
  const { buffer, byteOffset } = bytesOf(bodies);
  let from = byteOffset;
  for (const row of rows) {
    const length = row[BODY_AT] as number;
    row[BODY_AT] = new Uint8Array(buffer, from, length);
    from += length;
  }
  return rows as ReadyRow[];
}

const FLAGS_AT = 10;
const BODY_AT = 13;
