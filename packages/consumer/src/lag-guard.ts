import type { Logger } from "@taskq/core";

/** How often the event loop is looked at, in milliseconds. */
const INTERVAL = 100;
/** From which lateness on it is worth a line in the log, in milliseconds. */
const WORTH_TELLING = 1_000;
const PAUSE_BETWEEN_WARNINGS = 10_000;

export interface LagGuardOptions {
  readonly logger: Logger;
  /** A loop that was blocked for longer than this, in milliseconds, must catch up. */
  readonly limit: number;
  readonly caughtUp: () => void;
  /** Names of the tasks that ran since it was asked last. */
  readonly tasks: () => readonly string[];
}

/** Notices when handlers keep the event loop from its other duties. */
export class LagGuard {
  readonly #options: LagGuardOptions;
  #timer: NodeJS.Timeout | undefined;
  #expected = 0;
  #warnedAt = -Infinity;
  #lagMs = 0;

  constructor(options: LagGuardOptions) {
    this.#options = options;
  }

  /** How late the event loop was when last looked at, or is by now, in milliseconds. */
  get lagMs(): number {
    if (this.#timer === undefined) return 0;
    return Math.round(Math.max(this.#lagMs, performance.now() - this.#expected));
  }

  start(): void {
    this.#expected = performance.now() + INTERVAL;
    this.#timer = setInterval(() => this.#look(), INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = performance.now();
    this.#lagMs = Math.max(0, now - this.#expected);
    this.#expected = now + INTERVAL;
    const tasks = this.#options.tasks();
    if (this.#lagMs > this.#options.limit) this.#options.caughtUp();
    if (this.#lagMs > WORTH_TELLING) this.#warn(now, tasks);
  }

  #warn(now: number, tasks: readonly string[]): void {
    if (now - this.#warnedAt < PAUSE_BETWEEN_WARNINGS) return;
    this.#warnedAt = now;
    this.#options.logger.warn(
      { lagMs: Math.round(this.#lagMs), tasks },
      "the event loop was blocked: a handler computes for long, or the process was stopped",
    );
  }
}
