/**
 * Cursors of the feed of events, the same in every storage: the name of the feed, the number of the event, and its instant, by which
 * it is told from another one that has the same number in an older copy of the storage that has gone on.
 */
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

const CURSOR = /^([a-z0-9]{1,16})\.(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,16}))?$/;

/** The name of a new feed. */
export function feedTag(): string {
  return crypto.randomUUID().slice(0, 8);
}

/** @param time when the event was stored; `undefined`: there is none of this number */
export function feedCursor({ tag }: Pick<FeedBounds, "tag">, number: number, time?: number): string {
  return time === undefined ? `${tag}.${number}` : `${tag}.${number}.${Math.trunc(time)}`;
}

/** The number of a cursor. */
export function feedNumber(cursor: string): number {
  return Number(CURSOR.exec(cursor)?.[2]);
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
  const [, name] = CURSOR.exec(checkFeedStart(from)) ?? [];
  const number = feedNumber(from);
  if (name === tag && number >= gone && number <= last) return number;
  const why =
    name !== tag
      ? "it is of another feed, or of one that has ended and begun anew"
      : number < gone
        ? `events up to number ${gone} are gone`
        : `the last event is number ${last}: was an older copy of the storage put in its place?`;
  throw eventsLost(from, why);
}

/**
 * @param time when the event with the number of this cursor was stored; `undefined`: it is not there any more
 * @throws `TASKQ_EVENTS_LOST` for a cursor of another event
 */
export function checkFeedTime(from: string, time: number | undefined): void {
  const known = CURSOR.exec(from)?.[3];
  if (known === undefined || time === undefined || Number(known) === Math.trunc(time)) return;
  throw eventsLost(
    from,
    `event number ${feedNumber(from)} is another one: was an older copy of the storage put in its place?`,
  );
}

function eventsLost(from: string, why: string): TaskqError {
  return new TaskqError(
    "TASKQ_EVENTS_LOST",
    `events from: expected the cursor of an event that is kept, got ${shown(from)}; ${why}. ` +
      "Read the jobs anew, and go on from 'start' or 'now'",
  );
}
