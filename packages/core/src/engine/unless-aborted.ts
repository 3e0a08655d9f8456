import { onAbort } from "../on-abort.js";
import { ignoreRejection } from "../ignore-rejection.js";

/** What the promise answers; or, as soon as the signal aborts, its reason: of what then becomes of the promise nobody hears. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  ignoreRejection(promise);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const end = onAbort(signal, () => reject(signal.reason));
    promise.then(
      (value) => (end(), resolve(value)),
      (error: unknown) => (end(), reject(error)),
    );
  });
}
