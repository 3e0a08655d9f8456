/** Cursors of the feed of events, the same in every storage: the name of the feed and the number of the event. */
import { TaskqError } from "./errors.js";
import { shown } from "./options.js";

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

/**
 * The number behind which to go on.
 *
 * @param from A cursor; `undefined`: the end; `oldest`: before all that is kept
 * @throws `TASKQ_OPTION` for a cursor that is none of this feed's, `TASKQ_EVENTS_LOST` for one whose next event is gone
 */
export function feedPosition(from: string | undefined, bounds: FeedBounds): number {
  if (from === undefined) return bounds.last;
  if (from === "oldest") return bounds.gone;
  const [, tag, digits] = CURSOR.exec(from) ?? [];
  const number = Number(digits);
  if (tag !== bounds.tag || number > bounds.last) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `events from: expected 'oldest' or the cursor of an event of this queue, got ${shown(from)}`,
    );
  }
  if (number >= bounds.gone) return number;
  throw new TaskqError(
    "TASKQ_EVENTS_LOST",
    `events from: expected a cursor of events that are kept, got ${shown(from)}; ` +
      `events up to number ${bounds.gone} are gone. Read the jobs anew, and go on from 'oldest' or without from`,
  );
}
