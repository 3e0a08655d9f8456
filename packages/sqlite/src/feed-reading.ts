/** Reads the feed, and has it written as long as somebody reads. */
import {
  FEED_KEPT_FOR,
  feedCursor,
  feedPosition,
  feedTag,
  TaskqError,
  type EventsAnswer,
  type EventsRequest,
  type FeedBounds,
} from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { eventsAfter } from "./feed-rows.js";
import type { Move } from "./move.js";
import { ARRIVING, LEAVING, LEFT, movedError, refuseStill } from "./moving.js";
import type { OpenQueue } from "./open-queue.js";

/** A reader puts off the end of the feed no more often than this, in milliseconds. */
const FOLLOWED_EVERY = 86_400_000;

export interface FeedRow extends FeedBounds {
  /** The instant until which it is written; `null`: nobody follows. */
  readonly until: number | null;
}

type Followed = FeedRow & { readonly until: number };
type Looked = Partial<FeedRow> & { readonly phase: number };

/** The feed of a queue that somebody follows. */
export function followedFeed(connection: Connection, queue: OpenQueue): Followed | undefined {
  return connection
    .sql("SELECT tag, last, gone, until FROM {feeds} WHERE queue = ? AND until IS NOT NULL")
    .get(queue.id) as Followed | undefined;
}

/** Reads the feed; `undefined` when something is to be written first, or others wrote between two statements. */
export function readFeed(
  connection: Connection,
  queue: OpenQueue,
  request: EventsRequest,
  now: number,
): EventsAnswer | undefined {
  const feed = connection
    .sql("SELECT phase, tag, last, gone, until FROM {queues} LEFT JOIN {feeds} ON queue = id WHERE id = ?")
    .get(queue.id) as Looked;
  const { phase } = feed;
  if (phase === ARRIVING) throw movedError(queue.name, phase);
  if (!isFollowed(feed)) return undefined;
  const mayWrite = phase <= LEAVING;
  if (mayWrite && feed.until - now < FEED_KEPT_FOR) return undefined;
  const isFlushed = phase === LEFT && feed.gone === feed.last;
  const position = isFlushed ? feed.last : feedPosition(request.from, feed);
  if (phase === LEFT && position === feed.last) {
    throw movedError(queue.name, phase, ", where its feed goes on");
  }
  return answer(connection, queue, feed, position, request.limit);
}

function isFollowed(feed: Looked): feed is Followed & Looked {
  return typeof feed.until === "number";
}

/** Has the feed written from now on, and reads it. */
export function followFeed(move: Move, { from, limit }: EventsRequest): EventsAnswer {
  const { scope, queue, now } = move;
  refuseStill(move);
  move
    .sql(
      "INSERT INTO {feeds} (queue, tag, until) VALUES (?, ?, ?) " +
        "ON CONFLICT (queue) DO UPDATE SET until = excluded.until",
    )
    .run(queue.id, feedTag(), now + FEED_KEPT_FOR + FOLLOWED_EVERY);
  move.changeSeldom();
  const feed = followedFeed(scope.connection, queue) as Followed;
  const read = answer(scope.connection, queue, feed, feedPosition(from, feed), limit);
  if (read === undefined) throw new TaskqError("TASKQ_STORAGE", `the feed of "${queue.name}" has a gap`);
  return read;
}

function answer(
  connection: Connection,
  queue: OpenQueue,
  feed: FeedRow,
  position: number,
  limit: number,
): EventsAnswer | undefined {
  const numbered = eventsAfter(connection, queue, feed, position, limit);
  if (numbered === undefined) return undefined;
  const events = numbered.map(({ number, event }) => ({ ...event, cursor: feedCursor(feed, number) }));
  return { events, cursor: events.at(-1)?.cursor ?? feedCursor(feed, position) };
}
