import { milliseconds } from "./duration.js";
import { ResultTimeoutError } from "./errors.js";
import { abortWith } from "./on-abort.js";
import { abortSignal, refuseUnknown, unexpected } from "./options.js";
import { startTimer } from "./timer.js";
import type { Result, WaitOptions } from "./vocabulary/result.js";

/**
 * The results in the order in which they become final, however they end. Among those that are final when it is called,
 * the order is not defined.
 *
 * @throws `TASKQ_OPTION` for what is no result; `ResultTimeoutError` once the time is over; the reason of the signal once it aborts
 * @example
 * for await (const result of asCompleted(results)) console.log(result.id, await result.peek());
 */
export async function* asCompleted<R extends Result>(
  results: Iterable<R>,
  options: WaitOptions = {},
): AsyncGenerator<R, void, undefined> {
  refuseUnknown(options, ["timeout", "signal"], "asCompleted");
  if (typeof results !== "object" || results === null || !(Symbol.iterator in results)) {
    throw unexpected("asCompleted", "an iterable of results", results);
  }
  const given = Array.from(results, checkedResult);
  const stop = abortSignal(options.signal, "asCompleted signal");
  const pending = new Set(given);
  const ended = new AbortController();
  const timeoutMs =
    options.timeout === undefined ? undefined : milliseconds(options.timeout, "asCompleted timeout");
  const late = new ResultTimeoutError(timeoutMs ?? 0);
  const timer = timeoutMs === undefined ? undefined : startTimer(() => ended.abort(late), timeoutMs);
  const forget = abortWith(ended, stop);
  const final: R[] = [];
  let wake: (() => void) | undefined;
  let failure: { readonly error: unknown } | undefined;
  let left = given.length;
  let waiting = given.length;
  for (const result of given) {
    void untilFinal(result, ended.signal)
      .then(
        () => (pending.delete(result), final.push(result)),
        (error: unknown) => (failure ??= { error }),
      )
      .then(() => ((waiting -= 1), wake?.()));
  }
  try {
    while (left > 0) {
      const next = final.shift();
      if (next !== undefined) {
        left -= 1;
        yield next;
      } else if (failure !== undefined && failure.error !== late) throw failure.error;
      // Each is looked at once more: what was final by the end of the time is told before.
      else if (failure !== undefined && waiting === 0) throw lateFor(pending, late.timeoutMs);
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    clearTimeout(timer);
    forget();
    // Whoever stops early leaves nothing waiting.
    ended.abort(new Error("asCompleted has ended"));
  }
}

function lateFor(pending: Iterable<Result>, timeoutMs: number): ResultTimeoutError {
  const ids = Array.from(pending, ({ id }) => id);
  return new ResultTimeoutError(timeoutMs, ids);
}

function checkedResult<R extends Result>(result: R, index: number): R {
  const given = result as Partial<Result> | null | undefined;
  if (typeof given?.wait === "function" && typeof given.peek === "function") return result;
  throw unexpected(`asCompleted result ${index}`, "a result, as awaited of queue.enqueue(job)", result);
}

async function untilFinal(result: Result, signal: AbortSignal): Promise<void> {
  try {
    await result.wait({ signal });
  } catch (error) {
    if ((await result.peek()) === undefined) throw error;
  }
}
