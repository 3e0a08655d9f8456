/** Reads the feed, and has it written as long as somebody reads. */
import {
  checkFeedTime,
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
  return answer(connection, queue, feed, { ...request, position });
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
  const position = feedPosition(from, feed);
  const read = answer(scope.connection, queue, feed, { from, limit, position });
  if (read === undefined) throw new TaskqError("TASKQ_STORAGE", `the feed of "${queue.name}" has a gap`);
  return read;
}

interface Reading extends Pick<EventsRequest, "from" | "limit"> {
  /** To which the cursor has led. */
  readonly position: number;
}

function answer(
  connection: Connection,
  queue: OpenQueue,
  feed: FeedRow,
  { from, limit, position }: Reading,
): EventsAnswer | undefined {
  // The event of the cursor is looked at too, if it is kept.
  const before = position > feed.gone ? 1 : 0;
  const numbered = eventsAfter(connection, queue, feed, position - before, limit + before);
  if (numbered === undefined) return undefined;
  const time = before === 0 ? undefined : numbered[0]?.event.time;
  checkFeedTime(from, time);
  const events = numbered.slice(before).map(({ number, event }) => {
    return { ...event, cursor: feedCursor(feed, number, event.time) };
  });
  return { events, cursor: events.at(-1)?.cursor ?? feedCursor(feed, position, time) };
}
