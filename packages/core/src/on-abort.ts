/** What is to be told when a signal aborts. Node takes eleven listeners of one signal for a leak, so it has one of ours. */
const told = new WeakMap<AbortSignal, Set<() => void>>();

const NOTHING = (): void => {};

/** Calls when the signal aborts, which it has not yet; not any more, once what this answers was called. Without one: never. */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal === undefined) return NOTHING;
  let calls = told.get(signal);
  if (calls === undefined) {
    calls = new Set();
    told.set(signal, calls);
    signal.addEventListener("abort", tell);
  }
  calls.add(call);
  return () => forget(signal, call);
}

function tell(this: AbortSignal): void {
  const calls = told.get(this) ?? [];
  stopListening(this);
  for (const call of calls) call();
}

function forget(signal: AbortSignal, call: () => void): void {
  const calls = told.get(signal);
  if (calls?.delete(call) === true && calls.size === 0) stopListening(signal);
}

function stopListening(signal: AbortSignal): void {
  told.delete(signal);
  signal.removeEventListener("abort", tell);
}

/** Aborts with the signal too, for the same reason; not any more, once what this answers was called. */
export function abortWith(controller: AbortController, signal: AbortSignal | undefined): () => void {
  const abort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted !== true) return onAbort(signal, abort);
  abort();
  return NOTHING;
}
