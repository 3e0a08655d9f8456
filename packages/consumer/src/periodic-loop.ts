import { PAUSE_AFTER_ERROR, Ticker, type Engine } from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";
import type { Rest } from "./loop.js";
import { retryPause, type Outage } from "./outage.js";

/** How often schedules are read of which nothing was heard, in milliseconds: others may be made elsewhere. */
const SAFETY_LOOK = 30_000;
/** How often they are read at most because something was heard, in milliseconds. What is due is fired meanwhile, as it was read last. */
const SHORTEST_LOOK = 1_000;
/** What has not been complained of for so long is told anew, in milliseconds. */
const COMPLAINT_KEPT = 60_000;
/** What concerns all schedules is complained of under no name. */
const ALL = "";
const FINAL_CODES: ReadonlySet<string> = new Set(["TASKQ_CLOSED", "TASKQ_MOVED"]);

/** Fires the schedules of one queue at their instants. Every consumer does, and needs no leader. */
export class PeriodicLoop {
  readonly #engine: Engine;
  readonly #outage: Outage;
  readonly #doubt: () => void;
  readonly #ticker: Ticker;
  readonly #complaints = new Map<string, Complaint>();
  #declared = false;
  #readAt = -Infinity;
  /** Something was, since they were read. */
  #heard = false;
  #failingSince: number | undefined;

  /** @param doubt called when the storage does not carry out what is asked of it: somebody should look whether it is away */
  constructor(engine: Engine, outage: Outage, doubt: () => void) {
    this.#engine = engine;
    this.#outage = outage;
    this.#doubt = doubt;
    this.#ticker = new Ticker(engine);
  }

  /** Schedules may be others by now. Answers how soon they may be read again, in milliseconds. */
  hear(): number {
    this.#heard = true;
    return this.#untilRead;
  }

  get #untilRead(): number {
    const pause = this.#heard ? SHORTEST_LOOK : SAFETY_LOOK;
    return Math.max(0, this.#readAt + pause - performance.now());
  }

  async tick(): Promise<Rest> {
    if (!this.#outage.connected) return { most: Infinity };
    const rereads = this.#untilRead === 0;
    if (rereads) {
      this.#readAt = performance.now();
      this.#heard = false;
    }
    try {
      const at = await this.#fire(rereads);
      this.#failingSince = undefined;
      this.#complaints.delete(ALL);
      return { at, most: this.#untilRead };
    } catch (error) {
      this.#readAt = -Infinity;
      return { most: this.#afterError(error) };
    }
  }

  async #fire(rereads: boolean): Promise<number | undefined> {
    const complain = (name: string, error: TaskqError): void => this.#complain(name, error);
    if (!this.#declared) this.#declared = await this.#ticker.declare(complain);
    const at = await this.#ticker.tick(complain, rereads);
    return this.#declared ? at : Math.min(at ?? Infinity, this.#engine.time.now() + PAUSE_AFTER_ERROR);
  }

  /** Once for each reason, as long as it lasts: it is tried again every second or two. */
  #complain(name: string, error: TaskqError): void {
    const { message } = error;
    const now = performance.now();
    for (const [other, { at }] of this.#complaints)
      if (now - at >= COMPLAINT_KEPT) this.#complaints.delete(other);
    const isKnown = this.#complaints.get(name)?.message === message;
    this.#complaints.set(name, { message, at: now });
    if (isKnown) return;
    const schedule = name === ALL ? undefined : name;
    this.#engine.logger.error(
      { queue: this.#engine.name, schedule, error: String(error) },
      "a periodic job could not be enqueued",
    );
  }

  /**
   * Milliseconds to wait. It is no outage: a storage that has no room left refuses this and goes on answering those who have
   * nothing for it, so that each answer would end the outage, and the next attempt begin another one.
   */
  #afterError(error: unknown): number {
    if (!(error instanceof TaskqError) || FINAL_CODES.has(error.code)) throw error;
    const now = performance.now();
    this.#failingSince ??= now;
    this.#complain(ALL, error);
    this.#doubt();
    return retryPause(now - this.#failingSince);
  }
}

interface Complaint {
  readonly message: string;
  /** When there last was reason for it, in milliseconds of `performance.now()`. */
  readonly at: number;
}
