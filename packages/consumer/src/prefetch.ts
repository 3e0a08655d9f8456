/** How many jobs to claim ahead of free workers. */

/** Work held ahead, in milliseconds: a little more than a step takes. */
const WORK_AHEAD = 7.5;
/** The most jobs held ahead by the adaptive policy. */
export const MOST_AHEAD = 512;
/** How long a job claimed ahead waits behind handlers that run long before it is handed back, in milliseconds. */
export const PATIENCE = 50;
/** Weight of the latest handler in the running mean. */
const WEIGHT = 0.1;
/** No handler is faster, in milliseconds; the clock may say so. */
const SHORTEST = 0.001;

export interface Prefetch {
  /** A handler has ended after so many milliseconds. */
  ended(durationMs: number): void;
  /** Jobs claimed ahead had to be handed back. */
  stalled(): void;
  /** How many jobs to hold ahead from now on; asked once a claim. */
  next(workers: number): number;
  /**
   * From when a job claimed ahead is taken to wait too long, in milliseconds of `performance.now()`.
   *
   * @param since when it was claimed
   * @param lastEnd when a handler last ended
   */
  handBackAt(since: number, lastEnd: number): number;
}

/** Holds some milliseconds of work, by a running mean of handler times. Starts at 0, and at most doubles with each claim. */
export class AdaptivePrefetch implements Prefetch {
  #mean: number | undefined;
  #last = 0;

  ended(durationMs: number): void {
    const duration = Math.max(durationMs, SHORTEST);
    this.#mean = this.#mean === undefined ? duration : this.#mean + (duration - this.#mean) * WEIGHT;
  }

  stalled(): void {
    this.#mean = Math.max(this.#mean ?? 0, PATIENCE);
    this.#last = 0;
  }

  next(workers: number): number {
    if (this.#mean === undefined) return 0;
    const fitting = Math.min(MOST_AHEAD, Math.floor((workers * WORK_AHEAD) / this.#mean));
    this.#last = Math.min(fitting, Math.max(1, 2 * this.#last, workers));
    return this.#last;
  }

  handBackAt(since: number, _lastEnd: number): number {
    return since + PATIENCE;
  }
}

/** Holds as many as it is told; they wait too long when no handler ends for a while. */
export class FixedPrefetch implements Prefetch {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  ended(_durationMs: number): void {}

  stalled(): void {}

  next(_workers: number): number {
    return this.#count;
  }

  handBackAt(since: number, lastEnd: number): number {
    return Math.max(since, lastEnd) + PATIENCE;
  }
}
