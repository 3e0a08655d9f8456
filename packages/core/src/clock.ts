/** Time; replaced in tests. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves at that instant, or when the signal aborts; never rejects. */
  until(instant: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay a timer of Node takes; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1;

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
      await timer(Math.min(Math.ceil(left), longestTimer), signal);
    }
  },
};

function timer(delay: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timeout);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timeout = setTimeout(finish, delay);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
