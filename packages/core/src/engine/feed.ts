/** `queue.events`: the events that the storage keeps, whichever process made them, and those to come. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { TaskqError } from "../errors.js";
import { checkFeedStart } from "../feed-cursor.js";
import { onAbort } from "../on-abort.js";
import { abortSignal, refuseUnknown } from "../options.js";
import type { EventsAnswer, StoredEvent, WatchHint } from "../storage.js";
import type { QueueEvent } from "../vocabulary/events.js";
import type { Engine } from "./engine-types.js";
import { readableError, storageFailure } from "./failure.js";
import { contextOf, skipReason } from "./sources.js";

/** Events asked for in one read. */
const PAGE = 500;
/** How often the end of the feed is looked at when nothing was heard, in milliseconds. */
const SAFETY_LOOK = 1_000;
/** Milliseconds between two looks on a busy queue. */
const PAUSE_BETWEEN_LOOKS = 5;

export type FeedEvent = QueueEvent & { readonly cursor: string };

export interface FeedOptions {
  readonly from?: string;
  readonly signal?: AbortSignal;
}

/** @throws `TASKQ_OPTION` */
export function readFeed(engine: Engine, options: FeedOptions): AsyncIterable<FeedEvent> {
  refuseUnknown(options, ["from", "signal"], "events");
  const from = options.from === undefined ? "now" : checkFeedStart(options.from);
  const signal = abortSignal(options.signal, "events signal");
  return { [Symbol.asyncIterator]: () => new Follower(engine, from, signal).iterator() };
}

/** One reader of the feed. */
class Follower {
  readonly #engine: Engine;
  readonly #signal: AbortSignal | undefined;
  /** Where to go on: behind what was handed out last. */
  #from: string;
  #begun = false;
  #ended = false;
  /** There may be something new since the last look began. */
  #told = false;
  #wake: (() => void) | undefined;

  constructor(engine: Engine, from: string, signal: AbortSignal | undefined) {
    this.#engine = engine;
    this.#from = from;
    this.#signal = signal;
  }

  iterator(): AsyncGenerator<FeedEvent, void, undefined> {
    const events = this.#events();
    const back = events.return.bind(events);
    // A reader that is given up while it waits waits no longer.
    events.return = (value) => {
      this.#end();
      return back(value);
    };
    return events;
  }

  async *#events(): AsyncGenerator<FeedEvent, void, undefined> {
    const { storage, name, feeds } = this.#engine;
    if (this.#signal?.aborted === true || this.#ended) return;
    await this.#engine.open();
    const stop = storage.watch(name, (hint) => this.#hear(hint));
    const forget = onAbort(this.#signal, this.#end);
    feeds.add(this.#end);
    try {
      while (!this.#isOver()) {
        this.#told = false;
        const answer = await this.#read();
        for (const stored of answer?.events ?? []) {
          if (this.#isOver()) return;
          this.#from = stored.cursor;
          yield { ...eventOf(this.#engine, stored), cursor: stored.cursor };
        }
        if (answer !== undefined) this.#from = answer.cursor;
        if (answer === undefined || answer.events.length < PAGE) await this.#pause(answer === undefined);
        // Far behind: a storage in this process answers at once, and timers and sockets would wait for the last page.
        else await nextTurn();
      }
    } finally {
      stop();
      feeds.delete(this.#end);
      forget();
    }
  }

  readonly #end = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  #isOver(): boolean {
    return this.#ended || this.#signal?.aborted === true;
  }

  #hear({ kind }: WatchHint): void {
    if (kind === "ready" || kind === "control") return;
    this.#told = true;
    this.#wake?.();
  }

  /** `undefined`: the storage is away, after it has answered once, or this reader is not wanted any more. */
  async #read(): Promise<EventsAnswer | undefined> {
    const { storage, name, time } = this.#engine;
    try {
      const answer = await storage.events({
        queue: name,
        from: this.#from,
        limit: PAGE,
        now: time.requestNow(),
      });
      this.#begun = true;
      return answer;
    } catch (error) {
      if (this.#ended) return undefined;
      const passing = error instanceof TaskqError && PASSING.has(error.code);
      if (!passing || !this.#begun) throw error;
      return undefined;
    }
  }

  /** Until something is heard, and no longer than a second; `whole`: a second, whatever is heard. */
  async #pause(whole: boolean): Promise<void> {
    const until = performance.now() + SAFETY_LOOK;
    const early = performance.now() + PAUSE_BETWEEN_LOOKS;
    while (!this.#ended) {
      const left = (this.#told && !whole ? early : until) - performance.now();
      if (left <= 0) return;
      await this.#rest(left);
    }
  }

  #rest(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A storage that is away comes back. */
const PASSING: ReadonlySet<string> = new Set(["TASKQ_UNAVAILABLE", "TASKQ_BUSY"]);

function eventOf(engine: Engine, stored: StoredEvent): QueueEvent {
  const { id, task, attempt, reason } = stored;
  const job = { id, task, time: new Date(stored.time) };
  const durationMs = Math.max(0, stored.time - (stored.startedAt ?? stored.time));
  switch (stored.state) {
    case "completed":
      return { ...job, type: "completed", attempt, durationMs };
    case "failed":
      return { ...job, type: "failed", attempt, durationMs, error: errorOf(engine, stored) };
    case "quarantined":
      return { ...job, type: "quarantined", error: errorOf(engine, stored) };
    case "cancelled":
      return reason === "revoked"
        ? { ...job, type: "revoked" }
        : { ...job, type: "cancelled", reason: reason ?? "cancelled" };
    case "expired":
      return { ...job, type: "expired" };
    case "skipped":
      return { ...job, type: "skipped", reason: skipReason(reason) };
  }
}

/** One that cannot be read must not keep a reader from what comes after it. */
function errorOf(engine: Engine, stored: StoredEvent): ReturnType<typeof storageFailure> {
  const { error, reason, attempt } = stored;
  if (error !== undefined) {
    return readableError(engine.serializer, error, contextOf(engine, stored, "error"));
  }
  if (reason !== undefined) return storageFailure(reason, attempt);
  return {
    name: "TaskqError",
    message: "too large for the feed: read the job",
    stack: undefined,
    code: "TASKQ_TOO_LARGE",
    details: undefined,
  };
}
