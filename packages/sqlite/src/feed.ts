/** The feed of jobs that became final: one row for each move, written only while somebody follows the queue. */
import { FEED_ERROR_BYTES, FEED_KEPT, FEED_KEPT_FOR, type FeedBounds } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { AFTER, entryKey, NUMBER, type Entry } from "./feed-rows.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { FAILED, idOf, isFinalState, QUARANTINED } from "./row.js";

/** Events of one row, at most. */
const PER_ROW = 256;
/** Events, and milliseconds of this process, after which old rows are looked for. */
const PRUNED_EVERY = 1024;
const PRUNED_AFTER = 60_000;
const ROWS_PER_PRUNE = 2 * PRUNED_EVERY;

/** Rows up to the last one that was let go: `queue, queue`. */
const GONE = `id > ${entryKey("?", "0")} AND id <= (SELECT ${entryKey("queue", "gone")} FROM {feeds} WHERE queue = ?)`;

type Ended = [
  random: number,
  task: string,
  state: number,
  attempt: number,
  fence: number,
  started: number | null,
  reason: string | null,
  meta: string | null,
  error: Buffer | null,
];

/** Writes down what has become final in this move so far. Before a purge: that may remove what is told of. */
export function writeFeed(move: Move): void {
  if (move.ended.length === 0) return;
  const until = move.seldomNow().followed;
  if (until === undefined) move.ended.length = 0;
  else if (move.now > until) end(move);
  else append(move, entriesOf(move));
}

function entriesOf(move: Move): readonly Entry[] {
  const statement = move.raw(
    "SELECT random, task, state, attempt, abs(fence), started, reason, meta, " +
      `CASE WHEN state IN (${FAILED}, ${QUARANTINED}) AND length(result) <= ${FEED_ERROR_BYTES} THEN result END ` +
      "FROM {jobs} WHERE key = (? << 21) | ?",
  );
  const entries: Entry[] = [];
  for (const { time, low } of move.ended) {
    const row = statement.get(time, low) as Ended | undefined;
    if (row === undefined || !isFinalState(row[2])) continue;
    const [random, task, state, attempt, fence, started, reason, meta, error] = row;
    const entry: Entry = [idOf({ time, low, random, meta }), task, state, attempt, fence, started, reason];
    if (error !== null) entry.push(error.toString("base64"));
    entries.push(entry);
  }
  move.ended.length = 0;
  return entries;
}

function append(move: Move, entries: readonly Entry[]): void {
  const { id } = move.queue;
  for (let from = 0; from < entries.length; from += PER_ROW) {
    const part = entries.slice(from, from + PER_ROW);
    // The number is given under the lock of the transaction that writes the row: numbers are in the order of commits.
    const row = move
      .raw(`UPDATE {feeds} SET last = last + ? WHERE queue = ? RETURNING ${LAST_IF_SOUND}`)
      .get(part.length, id) as [number | null] | undefined;
    // Somebody has removed it, and with it whoever followed: no step may fail for that.
    if (row === undefined) return;
    let [last] = row;
    const insert = move.sql(
      `INSERT OR IGNORE INTO {events} (id, time, entries) VALUES (${entryKey("?", "?")}, ?, ?)`,
    );
    const text = JSON.stringify(part);
    if (last === null || insert.run(id, last, move.now, text).changes === 0) {
      last = renumbered(move, part.length);
      insert.run(id, last, move.now, text);
    }
    if (isPruneDue(move, last, part.length)) prune(move, last);
  }
}

/** Of a row into which somebody has written, nothing. */
const LAST_IF_SOUND = "CASE WHEN typeof(last) = 'integer' AND last BETWEEN 1 AND 1099511627775 THEN last END";

/** Behind whatever is stored: the row says a number that is none, or one that is taken. */
function renumbered(move: Move, count: number): number {
  const [last] = move
    .raw(
      `UPDATE {feeds} SET last = ? + coalesce((SELECT max(id) FROM {events} WHERE id > ${entryKey("?", "0")} ` +
        `AND id < ${entryKey("(? + 1)", "0")}) & 1099511627775, 0) WHERE queue = ? RETURNING last`,
    )
    .get(count, move.queue.id, move.queue.id, move.queue.id) as [number];
  return last;
}

function isPruneDue({ queue, now }: Move, last: number, count: number): boolean {
  const passed = now - queue.feedPrunedAt;
  return (
    passed >= PRUNED_AFTER ||
    passed < 0 ||
    Math.floor(last / PRUNED_EVERY) > Math.floor((last - count) / PRUNED_EVERY)
  );
}

/** Lets go of the oldest rows: those beyond the number that is kept, and those older than they are kept for. */
function prune(move: Move, last: number): void {
  const { queue, now } = move;
  queue.feedPrunedAt = now;
  if (forgetEvents(move)) return;
  const oldest = move.raw(`SELECT ${NUMBER}, time FROM {events} WHERE ${AFTER} ORDER BY id LIMIT ? + 0`);
  let gone: number | undefined;
  // Mostly the first one is young enough already.
  for (const limit of [1, ROWS_PER_PRUNE]) {
    const rows = oldest.all(queue.id, 0, queue.id, last, limit) as [number, number][];
    for (const [number, time] of rows) {
      if (number > last - FEED_KEPT && time >= now - FEED_KEPT_FOR) break;
      gone = number;
    }
    if (gone === undefined) return;
  }
  if (gone !== undefined) letGo(move, gone);
}

function letGo(move: Move, gone: number): void {
  move.sql("UPDATE {feeds} SET gone = ? WHERE queue = ?").run(gone, move.queue.id);
  forgetEvents(move);
}

/** Removes rows that were let go, which nobody reads; a bounded number. Answers whether there may be more. */
export function forgetEvents(move: Move): boolean {
  const { id } = move.queue;
  const { changes } = move
    .sql(`DELETE FROM {events} WHERE id IN (SELECT id FROM {events} WHERE ${GONE} LIMIT ${ROWS_PER_PRUNE})`)
    .run(id, id);
  return changes === ROWS_PER_PRUNE;
}

/** Whether there are such rows. */
export function hasForgotten(connection: Connection, { id }: OpenQueue): boolean {
  return connection.raw(`SELECT 1 FROM {events} WHERE ${GONE} LIMIT 1`).get(id, id) !== undefined;
}

/** Lets go of everything so far: a flush. */
export function emptyFeed(move: Move): void {
  const feed = move.sql("SELECT last FROM {feeds} WHERE queue = ?").get(move.queue.id);
  if (feed !== undefined) letGo(move, (feed as Pick<FeedBounds, "last">).last);
}

/** Nobody has read for so long: what comes now is not kept, and a number is left out for it. */
function end(move: Move): void {
  move.ended.length = 0;
  move.sql("UPDATE {feeds} SET until = NULL, last = last + 1 WHERE queue = ?").run(move.queue.id);
  emptyFeed(move);
  move.changeSeldom();
}
