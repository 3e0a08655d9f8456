/** Cursors of the feed of events, the same in every storage: the name of the feed and the number of the event. */
import { TaskqError } from "./errors.js";
import { shown, unexpected } from "./options.js";

/** What a feed has: events are numbered without gaps. */
export interface FeedBounds {
  /** Tells two feeds apart; drawn by lot when the queue is first followed. */
  readonly tag: string;
  /** The number of the last event. */
  readonly last: number;
  /** The number of the last event that was let go. */
  readonly gone: number;
}

const CURSOR = /^([a-z0-9]{1,16})\.(0|[1-9][0-9]{0,11})$/;

/** The name of a new feed. */
export function feedTag(): string {
  return crypto.randomUUID().slice(0, 8);
}

export function feedCursor({ tag }: Pick<FeedBounds, "tag">, number: number): string {
  return `${tag}.${number}`;
}

/** @throws `TASKQ_OPTION` for what is neither `start` nor `now` nor looks like a cursor */
export function checkFeedStart(from: unknown): string {
  if (from === "start" || from === "now" || (typeof from === "string" && CURSOR.test(from))) return from;
  throw unexpected("events from", "'start', 'now' or the cursor of an event", from);
}

/**
 * The number behind which to go on.
 *
 * @param from A cursor; `now`: the end; `start`: before all that is kept
 * @throws `TASKQ_OPTION` for what is no cursor, `TASKQ_EVENTS_LOST` for one whose next event is gone or in another feed
 */
export function feedPosition(from: string, { tag, last, gone }: FeedBounds): number {
  if (from === "now") return last;
  if (from === "start") return gone;
  const [name, digits] = checkFeedStart(from).split(".");
  const number = Number(digits);
  if (name === tag && number >= gone && number <= last) return number;
  const why =
    name !== tag
      ? "it is of another feed, or of one that has ended and begun anew"
      : number < gone
        ? `events up to number ${gone} are gone`
        : `the last event is number ${last}: was an older copy of the storage put in its place?`;
  throw new TaskqError(
    "TASKQ_EVENTS_LOST",
    `events from: expected the cursor of an event that is kept, got ${shown(from)}; ${why}. ` +
      "Read the jobs anew, and go on from 'start' or 'now'",
  );
}
