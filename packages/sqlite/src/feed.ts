/** The feed of jobs that became final: one row for each move, written only while somebody follows the queue. */
import {
  CARRIED_BYTES,
  FEED_KEPT,
  FEED_KEPT_FOR,
  feedCursor,
  feedPosition,
  feedTag,
  type EventsAnswer,
  type EventsRequest,
  type FeedBounds,
  type FinalState,
  type StoredEvent,
} from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { idOf, isFinalState, stateName } from "./row.js";

/** Events of one row, at most. */
const PER_ROW = 256;
/** Rows that are read at a time. */
const ROWS_AT_ONCE = 16;
/** Events, and milliseconds of this process, after which old rows are looked for. */
const PRUNED_EVERY = 1024;
const PRUNED_AFTER = 60_000;
const ROWS_PER_PRUNE = 2 * PRUNED_EVERY;
/** A reader puts off the end of the feed no more often than this, in milliseconds. */
const FOLLOWED_EVERY = 3_600_000;

/** The key of a row: its queue, and the number of its last event. */
const KEY = "(? << 40) + ?";
const NUMBER = "id & 1099511627775";

/** An event without what its row says of all of them: the error in Base64. */
type Entry = [
  id: string,
  task: string,
  state: number,
  attempt: number,
  fence: number,
  started: number | null,
  reason: string | null,
  error?: string,
];

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

interface FeedRow extends FeedBounds {
  /** The instant until which it is written; `null`: nobody follows. */
  readonly until: number | null;
}

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
      "CASE WHEN state IN (6, 10) THEN result END FROM {jobs} WHERE key = (? << 21) | ?",
  );
  const entries: Entry[] = [];
  for (const { time, low } of move.ended) {
    const row = statement.get(time, low) as Ended | undefined;
    if (row === undefined || !isFinalState(row[2])) continue;
    const [random, task, state, attempt, fence, started, reason, meta, error] = row;
    const entry: Entry = [idOf({ time, low, random, meta }), task, state, attempt, fence, started, reason];
    if (error !== null && error.length <= CARRIED_BYTES) entry.push(error.toString("base64"));
    entries.push(entry);
  }
  move.ended.length = 0;
  return entries;
}

function append(move: Move, entries: readonly Entry[]): void {
  const { id } = move.queue;
  for (let from = 0; from < entries.length; from += PER_ROW) {
    const part = entries.slice(from, from + PER_ROW);
    const [last] = move
      .raw("UPDATE {feeds} SET last = last + ? WHERE queue = ? RETURNING last")
      .get(part.length, id) as [number];
    move
      .sql(`INSERT INTO {events} (id, time, entries) VALUES (${KEY}, ?, ?)`)
      .run(id, last, move.now, JSON.stringify(part));
    if (isPruneDue(move, last, part.length)) prune(move, last);
  }
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
  const rows = move
    .raw(`SELECT ${NUMBER}, time FROM {events} WHERE id > ${KEY} AND id <= ${KEY} ORDER BY id LIMIT ? + 0`)
    .all(queue.id, 0, queue.id, last, ROWS_PER_PRUNE) as [number, number][];
  let gone: number | undefined;
  for (const [number, time] of rows) {
    if (number > last - FEED_KEPT && time >= now - FEED_KEPT_FOR) break;
    gone = number;
  }
  if (gone !== undefined) letGo(move, gone);
}

function letGo(move: Move, gone: number): void {
  const { id } = move.queue;
  move.sql(`DELETE FROM {events} WHERE id > ${KEY} AND id <= ${KEY}`).run(id, 0, id, gone);
  move.sql("UPDATE {feeds} SET gone = ? WHERE queue = ?").run(gone, id);
}

/** Lets go of everything so far: a flush. */
export function emptyFeed(move: Move): void {
  const feed = feedRow(move.scope.connection, move.queue);
  if (feed !== undefined) letGo(move, feed.last);
}

/** Nobody has read for so long: what comes now is not kept, and a number is left out for it. */
function end(move: Move): void {
  move.ended.length = 0;
  move.sql("UPDATE {feeds} SET until = NULL, last = last + 1 WHERE queue = ?").run(move.queue.id);
  emptyFeed(move);
  move.changeSeldom();
}

function feedRow(connection: Connection, queue: OpenQueue): FeedRow | undefined {
  return connection.sql("SELECT tag, last, gone, until FROM {feeds} WHERE queue = ?").get(queue.id) as
    | FeedRow
    | undefined;
}

/** Reads the feed; `undefined` when something is to be written first, so that it goes on being written. */
export function readFeed(
  connection: Connection,
  queue: OpenQueue,
  request: EventsRequest,
  now: number,
): EventsAnswer | undefined {
  const feed = feedRow(connection, queue);
  if (feed === undefined || feed.until === null) return undefined;
  if (feed.until - now < FEED_KEPT_FOR - FOLLOWED_EVERY) return undefined;
  return answer(connection, queue, feed, request);
}

/** Has the feed written from now on, and reads it. */
export function followFeed(move: Move, request: EventsRequest): EventsAnswer {
  const { scope, queue, now } = move;
  move
    .sql(
      "INSERT INTO {feeds} (queue, tag, until) VALUES (?, ?, ?) " +
        "ON CONFLICT (queue) DO UPDATE SET until = excluded.until",
    )
    .run(queue.id, feedTag(), now + FEED_KEPT_FOR);
  move.changeSeldom();
  return answer(scope.connection, queue, feedRow(scope.connection, queue) as FeedRow, request);
}

function answer(
  connection: Connection,
  queue: OpenQueue,
  feed: FeedRow,
  { from, limit }: EventsRequest,
): EventsAnswer {
  const position = feedPosition(from, feed);
  const events: StoredEvent[] = [];
  for (let behind = position; behind < feed.last && events.length < limit;) {
    const rows = connection
      .raw(
        `SELECT ${NUMBER}, time, entries FROM {events} WHERE id > ${KEY} AND id <= ${KEY} ORDER BY id LIMIT ? + 0`,
      )
      .all(queue.id, behind, queue.id, feed.last, ROWS_AT_ONCE) as [number, number, string][];
    for (const row of rows) unpack(feed, row, position, events);
    const [last] = rows.at(-1) ?? [feed.last];
    behind = last;
  }
  events.length = Math.min(events.length, limit);
  return { events, cursor: events.at(-1)?.cursor ?? feedCursor(feed, position) };
}

function unpack(
  feed: FeedRow,
  [last, time, text]: [number, number, string],
  position: number,
  events: StoredEvent[],
): void {
  const entries = JSON.parse(text) as Entry[];
  const before = last - entries.length;
  for (let index = Math.max(0, position - before); index < entries.length; index += 1) {
    const [id, task, state, attempt, fence, started, reason, error] = entries[index] as Entry;
    events.push({
      cursor: feedCursor(feed, before + index + 1),
      id,
      task,
      state: stateName(state) as FinalState,
      attempt,
      fence,
      time,
      startedAt: started ?? undefined,
      reason: reason ?? undefined,
      error: error === undefined ? undefined : new Uint8Array(Buffer.from(error, "base64")),
    });
  }
}
