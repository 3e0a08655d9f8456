import { clearImmediate, setImmediate } from "node:timers";
import type { Clock } from "@taskq/core";
import { later } from "@taskq/core/engine";

/** How long a loop rests after a tick, if nothing wakes it. */
export interface Rest {
  /** Until this instant of the queue's clock, in epoch milliseconds. */
  readonly at?: number | undefined;
  /** At most so many milliseconds of real time. */
  readonly most: number;
}

/** What a loop repeats: answers how long to rest. */
export type Tick = () => Promise<Rest>;

/** How long it ticks at once no more after it did, in milliseconds. */
const CALM = 0.2;
/** Sleeping is measured against the machine's timers, which take no more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Repeats a tick: one at a time, at most one a turn of the event loop. What the tick rejects with ends the loop. */
export class Loop {
  readonly #tick: Tick;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  #state: "stopped" | "resting" | "planned" | "ticking" = "stopped";
  #again = false;
  /** When it was last asked to tick at once, in milliseconds of `performance.now()`. */
  #hurriedAt = -Infinity;
  /** What was asked for while ticking, in milliseconds of `performance.now()`. */
  #soonest = Infinity;
  #immediate: NodeJS.Immediate | undefined;
  /** Stays while it ticks: to set a timer, or to clear one, costs as much as many a tick. */
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and when the loop is to tick, perhaps later; in milliseconds of `performance.now()`. */
  #firesAt = Infinity;
  #timerAt = Infinity;
  #alarm: Alarm | undefined;
  #stopped: (() => void) | undefined;

  /** @param failed told of an error of a tick; the loop has then stopped */
  constructor(tick: Tick, clock: Clock, failed: (error: unknown) => void) {
    this.#tick = tick;
    this.#clock = clock;
    this.#failed = failed;
  }

  start(): void {
    if (this.#state !== "stopped") return;
    this.#state = "resting";
    this.wake();
  }

  /** Ticks in the next turn, or right after the tick that is under way. */
  wake(): void {
    if (this.#state === "ticking") this.#again = true;
    if (this.#state !== "resting") return;
    this.#state = "planned";
    this.#immediate = setImmediate(this.#turn);
  }

  /**
   * Ticks in this turn, once it has come to an end of what runs now, if it has not done so just now: the system may have
   * much to tell before the next one begins.
   */
  wakeAtOnce(): void {
    if (this.#state !== "resting") return this.wake();
    const now = performance.now();
    if (now - this.#hurriedAt < CALM) return this.wake();
    this.#hurriedAt = now;
    this.#state = "planned";
    later(this.#turn);
  }

  /** Ticks within so many milliseconds. */
  wakeWithin(delay: number): void {
    if (delay <= 0) return this.wake();
    const at = performance.now() + delay;
    if (this.#state === "ticking") this.#soonest = Math.min(this.#soonest, at);
    else if (this.#state === "resting" && at < this.#timerAt) this.#arm(at);
  }

  /** Resolves when no tick is under way, and none comes. */
  stop(): Promise<void> {
    const ticking = this.#state === "ticking";
    this.#state = "stopped";
    this.#disarm();
    this.#quiet();
    clearImmediate(this.#immediate);
    if (!ticking) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#stopped;
      this.#stopped = () => {
        before?.();
        resolve();
      };
    });
  }

  readonly #turn = (): void => {
    // Stopped before its microtask came.
    if (this.#state !== "planned") return;
    this.#state = "ticking";
    this.#again = false;
    this.#soonest = Infinity;
    this.#tick().then(this.#rest, this.#fail);
  };

  readonly #rest = (rest: Rest): void => {
    if (this.#state === "stopped") return this.#stopped?.();
    this.#state = "resting";
    if (this.#again || rest.most <= 0) return this.wake();
    this.#timerAt = Infinity;
    const at = Math.min(performance.now() + rest.most, this.#soonest);
    if (at < Infinity) this.#arm(at);
    this.#await(rest.at);
  };

  readonly #fail = (error: unknown): void => {
    this.#state = "stopped";
    this.#quiet();
    this.#stopped?.();
    this.#failed(error);
  };

  readonly #fire = (): void => {
    this.#timer = undefined;
    if (this.#state !== "resting" || this.#timerAt === Infinity) return;
    // Later than a timer can wait, or than it was set for.
    if (this.#timerAt - performance.now() >= 1) this.#arm(this.#timerAt);
    else this.wake();
  };

  #arm(at: number): void {
    this.#timerAt = at;
    if (this.#timer !== undefined && this.#firesAt <= at) return;
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const delay = Math.min(Math.max(1, Math.ceil(at - performance.now())), LONGEST_TIMER);
    this.#timer = setTimeout(this.#fire, delay);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  /** The instant most often stays the same from tick to tick: then so does the wait for it. */
  #await(at: number | undefined): void {
    if (this.#alarm?.at === at) return;
    this.#quiet();
    if (at === undefined) return;
    const alarm: Alarm = { at, controller: new AbortController() };
    this.#alarm = alarm;
    void this.#ring(alarm);
  }

  async #ring(alarm: Alarm): Promise<void> {
    await this.#clock.until(alarm.at, alarm.controller.signal);
    if (this.#alarm !== alarm) return;
    this.#alarm = undefined;
    this.wake();
  }

  #quiet(): void {
    this.#alarm?.controller.abort();
    this.#alarm = undefined;
  }
}

interface Alarm {
  readonly at: number;
  readonly controller: AbortController;
}
