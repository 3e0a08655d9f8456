import { Ticker, type Engine } from "@taskq/core/engine";
import { TaskqError } from "@taskq/core/storage";
import type { Rest } from "./loop.js";
import type { Outage } from "./outage.js";

/** How often schedules are read of which nothing was heard, in milliseconds: others may be made elsewhere. */
const SAFETY_LOOK = 30_000;
/** How often they are read at most because something was heard, in milliseconds. */
const SHORTEST_LOOK = 1_000;
/** The pause after schedules could not be read, in milliseconds. */
const PAUSE_AFTER_ERROR = 1_000;
const OUTAGE_CODES: ReadonlySet<string> = new Set(["TASKQ_UNAVAILABLE", "TASKQ_BUSY", "TASKQ_STORAGE"]);
const FINAL_CODES: ReadonlySet<string> = new Set(["TASKQ_CLOSED", "TASKQ_MOVED"]);

/** Fires the schedules of one queue at their instants. Every consumer does, and needs no leader. */
export class PeriodicLoop {
  readonly #engine: Engine;
  readonly #outage: Outage;
  readonly #ticker: Ticker;
  readonly #complaints = new Map<string, string>();
  #declared = false;
  #lookedAt = -Infinity;

  constructor(engine: Engine, outage: Outage) {
    this.#engine = engine;
    this.#outage = outage;
    this.#ticker = new Ticker(engine);
  }

  /** How soon schedules may be read again because something was heard, in milliseconds. */
  get pause(): number {
    return Math.max(0, this.#lookedAt + SHORTEST_LOOK - performance.now());
  }

  async tick(): Promise<Rest> {
    if (!this.#outage.connected) return { most: Infinity };
    this.#lookedAt = performance.now();
    try {
      const at = await this.#fire();
      return { at, most: SAFETY_LOOK };
    } catch (error) {
      return { most: this.#afterError(error) };
    }
  }

  async #fire(): Promise<number | undefined> {
    if (!this.#declared) await this.#ticker.declare();
    this.#declared = true;
    return this.#ticker.tick((name, error) => this.#complain(name, error));
  }

  /** Once for each reason: the schedule is tried again every second. */
  #complain(schedule: string, error: TaskqError): void {
    if (this.#complaints.get(schedule) === error.message) return;
    this.#complaints.set(schedule, error.message);
    this.#engine.logger.error(
      { queue: this.#engine.name, schedule, error: String(error) },
      "a periodic job could not be enqueued",
    );
  }

  /** Milliseconds to wait. */
  #afterError(error: unknown): number {
    if (!(error instanceof TaskqError) || FINAL_CODES.has(error.code)) throw error;
    if (OUTAGE_CODES.has(error.code)) {
      this.#outage.failed(error);
      return Infinity;
    }
    this.#engine.logger.error(
      { queue: this.#engine.name, error: String(error) },
      "a periodic job could not be enqueued",
    );
    return PAUSE_AFTER_ERROR;
  }
}
