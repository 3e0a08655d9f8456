import { startTimer } from "../timer.js";

/** Resolves after so many milliseconds, or when the signal aborts. */
export function sleep(delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = startTimer(finish, delay);
    if (signal?.aborted === true) finish();
    else signal?.addEventListener("abort", finish, { once: true });
  });
}
