/** The feed of jobs that became final, for whoever follows the queue. */
import {
  CARRIED_BYTES,
  FEED_KEPT,
  FEED_KEPT_FOR,
  feedCursor,
  feedPosition,
  feedTag,
  isFinal,
  type EventsAnswer,
  type EventsRequest,
  type FeedBounds,
  type StoredEvent,
} from "@taskq/core/storage";
import type { JobRow } from "./rows.js";

/** Events beyond the bound after which the oldest are let go. */
const SLACK = 10_000;

export class Feed implements FeedBounds {
  readonly tag: string = feedTag();
  last = 0;
  gone = 0;
  /** The instant until which it is written; `undefined`: nobody follows. */
  #until: number | undefined;
  /** Those after `gone`. */
  #events: StoredEvent[] = [];

  /** A job has become final. */
  add(row: JobRow, now: number): void {
    if (this.#until === undefined || !isFinal(row.state)) return;
    if (now > this.#until) {
      this.#end();
      return;
    }
    this.last += 1;
    this.#events.push({
      cursor: feedCursor(this, this.last),
      id: row.id,
      task: row.job.task,
      state: row.state,
      attempt: row.attempt,
      fence: row.fence,
      time: now,
      startedAt: row.startedAt,
      reason: row.reason,
      error: errorOf(row),
    });
    this.#prune(now);
  }

  /** Answers what comes behind a cursor, and keeps the feed being written. */
  read({ from, limit }: EventsRequest, now: number): EventsAnswer {
    const number = feedPosition(from, this);
    this.#until = now + FEED_KEPT_FOR;
    const first = number - this.gone;
    const events = this.#events.slice(first, first + limit);
    return { events, cursor: feedCursor(this, number + events.length) };
  }

  /** Lets go of everything so far. */
  clear(): void {
    this.gone = this.last;
    this.#events = [];
  }

  /** Nobody has read for so long: what comes now is not kept, and a number is left out for it. */
  #end(): void {
    this.#until = undefined;
    this.last += 1;
    this.clear();
  }

  #prune(now: number): void {
    const oldest = now - FEED_KEPT_FOR;
    const over = this.#events.length > FEED_KEPT + SLACK ? SLACK : 0;
    let count = over;
    while ((this.#events[count]?.time ?? oldest) < oldest) count += 1;
    if (count === 0) return;
    this.#events.splice(0, count);
    this.gone += count;
  }
}

function errorOf({ state, bytes }: JobRow): Uint8Array | undefined {
  const failed = state === "failed" || state === "quarantined";
  return failed && bytes !== undefined && bytes.length <= CARRIED_BYTES ? bytes : undefined;
}
