import { sleep } from "./sleep.js";
import { LONGEST_TIMER } from "./timer.js";

/** Time; replaced in tests. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves at that instant, or when the signal aborts; never rejects. */
  until(instant: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The clock of the machine. Waiting keeps the process alive, however far away the instant is, until the signal aborts.
 *
 * @example await systemClock.until(systemClock.now() + 1000, signal);
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  async until(instant, signal) {
    // A timer may fire a moment early, and the machine's time may be set back meanwhile: hence asked again.
    for (let left = instant - Date.now(); left > 0; left = instant - Date.now()) {
      if (signal?.aborted === true) return;
      await sleep(Math.min(Math.ceil(left), LONGEST_TIMER), signal);
    }
  },
};
