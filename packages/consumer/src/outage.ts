/**
 * The connection of one queue to its storage, as far as the answers tell. While there are none, one loop goes on asking,
 * at growing intervals; the others rest until it is answered.
 */
import { TaskqError } from "@taskq/core";
import type { Engine } from "@taskq/core/engine";

/** Bounds of the pause before the next attempt, in milliseconds. */
const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 2_000;
/** An outage that begins so soon after another one, with nothing answered but what ended that, goes on with it. */
const CALM = 1_000;
/** How often it is told of such, in milliseconds. */
const TOLD_EVERY = 60_000;
/** Errors that asking again does not cure. Whatever else a storage rejects with is taken for an outage. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  "TASKQ_CLOSED",
  "TASKQ_MOVED",
  "TASKQ_OPTION",
  "TASKQ_NOT_YET",
  "TASKQ_SCHEMA",
]);

/** Whether asking the storage again may help. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof TaskqError && FINAL_CODES.has(error.code));
}

/** Half to whole of a pause that grows with the outage, so that consumers do not come back all at once. */
export function retryPause(outageMs: number, random: () => number = Math.random): number {
  const pause = Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, outageMs));
  return pause * (0.5 + random() / 2);
}

type OutageLog = Pick<Engine["consumerLog"], "info" | "warn">;

export class Outage {
  readonly #log: OutageLog;
  readonly #queue: string;
  readonly #changed: () => void;
  #since: number | undefined;
  #endedAt = -Infinity;
  #retryAt = -Infinity;
  #relapses = 0;
  /** Whether calls were answered since the last one, beside the one that ended it. */
  #isCalm = true;
  #toldAt = -Infinity;
  #began: (() => void) | undefined;

  /** @param changed called when an outage begins, and when it ends */
  constructor(log: OutageLog, queue: string, changed: () => void = () => {}) {
    this.#log = log;
    this.#queue = queue;
    this.#changed = changed;
  }

  get connected(): boolean {
    return this.#since === undefined;
  }

  /** When the last outage ended, in milliseconds of `performance.now()`; `-Infinity` if there was none. */
  get endedAt(): number {
    return this.#endedAt;
  }

  /** How long to wait before the storage is asked again, in milliseconds. */
  pause(): number {
    return this.connected ? 0 : Math.max(0, this.#retryAt - performance.now());
  }

  /** The next attempt may be made at once. */
  retryNow(): void {
    this.#retryAt = -Infinity;
  }

  /** Resolves once there is an outage. */
  whenAway(): Promise<void> {
    if (!this.connected) return Promise.resolve();
    return new Promise((resolve) => {
      this.#began = resolve;
    });
  }

  /**
   * Asks the storage; `undefined` if it is away.
   *
   * @param failed told why it is
   * @throws what no further attempt cures
   */
  async ask<Answer>(
    call: () => Promise<Answer>,
    failed?: (error: unknown) => void,
  ): Promise<Answer | undefined> {
    try {
      const answer = await call();
      this.answered();
      return answer;
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.failed(error);
      failed?.(error);
      return undefined;
    }
  }

  /** The storage has failed to answer. */
  failed(error: unknown): void {
    const now = performance.now();
    const isFirst = this.#since === undefined;
    if (isFirst) this.#relapses = !this.#isCalm && now - this.#endedAt < CALM ? this.#relapses + 1 : 0;
    this.#since ??= now;
    const relapsed = this.#relapses === 0 ? 0 : SHORTEST_PAUSE * 2 ** Math.min(this.#relapses, 10);
    this.#retryAt = now + retryPause(Math.max(now - this.#since, relapsed));
    if (!isFirst) return;
    this.#began?.();
    this.#tellBegin(now, error);
    this.#changed();
  }

  #tellBegin(now: number, error: unknown): void {
    if (this.#relapses > 1 && now - this.#toldAt < TOLD_EVERY) return;
    this.#toldAt = now;
    const what = this.#relapses > 0 ? "answers some calls, and refuses others" : "does not answer";
    this.#log.warn(
      { queue: this.#queue, error: String(error) },
      `the storage ${what}; the consumer goes on asking`,
    );
  }

  /** The storage has answered. */
  answered(): void {
    if (this.#since === undefined) {
      this.#isCalm = true;
      return;
    }
    const now = performance.now();
    if (this.#relapses === 0) {
      this.#log.info(
        { queue: this.#queue, outageMs: Math.round(now - this.#since) },
        "the storage answers again",
      );
    }
    this.#since = undefined;
    this.#isCalm = false;
    this.#endedAt = now;
    this.#changed();
  }
}
