import { onAbort } from "./on-abort.js";
import { startTimer } from "./timer.js";

/** Resolves after so many milliseconds, or when the signal aborts. */
export function sleep(delay: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = startTimer(finish, delay);
    const forget = onAbort(signal, finish);
  });
}
