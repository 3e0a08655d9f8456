/** The feed of jobs that became final, for whoever follows the queue. */
import {
  movedError,
  FEED_ERROR_BYTES,
  FEED_KEPT,
  FEED_KEPT_FOR,
  checkFeedTime,
  feedCursor,
  feedPosition,
  feedTag,
  isFinal,
  TaskqError,
  type EventsAnswer,
  type EventsRequest,
  type FeedBounds,
  type FinalEvent,
  type MovedEvent,
  type MovedFeed,
} from "@taskq/core/storage";
import { copyIfAny } from "./bytes.js";
import { isStill } from "./phase.js";
import type { Move } from "./queue-state.js";
import type { JobRow } from "./rows.js";

/** Events beyond the bound after which the oldest are let go. */
const SLACK = FEED_KEPT / 10;

export class Feed implements FeedBounds {
  tag: string = feedTag();
  last = 0;
  gone = 0;
  /** The instant until which it is written; `undefined`: nobody follows. */
  #until: number | undefined;
  /** Those after `gone`. */
  #events: FinalEvent[] = [];

  get isFollowed(): boolean {
    return this.#until !== undefined;
  }

  /** A job has become final. */
  add(row: JobRow, now: number): void {
    if (this.#until === undefined || !isFinal(row.state)) return;
    if (now > this.#until) {
      this.#end();
      return;
    }
    this.last += 1;
    this.#events.push({
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

  /** It is written on, should nobody read it again, until the instant. */
  follow(until: number): void {
    this.#until = until;
  }

  /** Answers what comes behind a position, to which a cursor has led. */
  read(from: string, position: number, limit: number): EventsAnswer {
    const first = position - this.gone;
    const time = this.#events[first - 1]?.time;
    checkFeedTime(from, time);
    const found = this.#events.slice(first, first + limit);
    const events = found.map((event, index) => ({
      ...copied(event),
      cursor: feedCursor(this, position + index + 1, event.time),
    }));
    return { events, cursor: events.at(-1)?.cursor ?? feedCursor(this, position, time) };
  }

  /** Lets go of everything so far. */
  clear(): void {
    this.gone = this.last;
    this.#events = [];
  }

  /** As it goes to another storage. */
  *records(): Generator<MovedFeed | MovedEvent> {
    if (this.#until === undefined) return;
    const { tag, last, gone } = this;
    yield { kind: "feed", tag, last, gone, until: this.#until };
    for (const [index, event] of this.#events.entries()) {
      yield { kind: "event", number: gone + index + 1, ...copied(event) };
    }
  }

  /** Takes in a record of another storage; one that is there stays as it is. */
  receive(record: MovedFeed | MovedEvent): void {
    if (record.kind === "event") {
      const { kind: _, number, ...event } = record;
      const place = number - this.gone - 1;
      if (place !== this.#events.length && this.#events[place] === undefined) {
        const expected = this.gone + this.#events.length + 1;
        throw new TaskqError("TASKQ_MOVE", `import: expected event ${expected} of the feed, got ${number}`);
      }
      this.#events[place] = copied(event);
      return;
    }
    const { tag, last, gone, until } = record;
    if (this.tag === tag && this.gone === gone && this.last === last && this.#until === until) return;
    Object.assign(this, { tag, last, gone });
    this.#until = until;
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
    let count = this.#events.length > FEED_KEPT + SLACK ? SLACK : 0;
    while ((this.#events[count]?.time ?? oldest) < oldest) count += 1;
    if (count === 0) return;
    this.#events.splice(0, count);
    this.gone += count;
  }
}

/** Reads the feed, which is written from then on. A queue that is still only shows what it has. */
export function readFeed({ queue, now }: Move, { from, limit }: EventsRequest): EventsAnswer {
  const { feed, phase, name } = queue;
  const still = isStill(queue);
  if (phase === "arriving" || (still && !feed.isFollowed)) throw movedError(name, phase);
  const isOver = phase === "left" && feed.gone === feed.last;
  const position = isOver ? feed.last : feedPosition(from, feed);
  if (phase === "left" && position === feed.last) throw movedError(name, phase, ", where its feed goes on");
  if (!still) feed.follow(now + FEED_KEPT_FOR);
  return feed.read(from, position, limit);
}

function copied(event: FinalEvent): FinalEvent {
  return { ...event, error: copyIfAny(event.error) };
}

function errorOf({ state, bytes }: JobRow): Uint8Array | undefined {
  const failed = state === "failed" || state === "quarantined";
  return failed && bytes !== undefined && bytes.length <= FEED_ERROR_BYTES ? bytes : undefined;
}
