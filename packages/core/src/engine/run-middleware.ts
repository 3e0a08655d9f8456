/** What stands around a run. */
import type { Middleware } from "../vocabulary/middleware.js";
import type { Run } from "./run.js";
import { heardOrNot, wrongNext } from "./wrong-next.js";

type Layer = NonNullable<Middleware["run"]>;

/** Calls the handler through the run middleware, the first one outermost, and answers what comes out. */
export function throughRunMiddleware(
  run: Run,
  middleware: readonly Middleware[],
  handler: () => Promise<unknown>,
): Promise<unknown> {
  const layers = middleware.filter((layer) => layer.run !== undefined);
  const at = (index: number): Promise<unknown> => {
    const layer = layers[index];
    if (layer?.run === undefined) return handler();
    return throughLayer(
      (context, next) => layer.run?.(context, next),
      run,
      () => at(index + 1),
    );
  };
  return at(0);
}

/**
 * A layer that answers too early has lost what comes from within. What is within has really ended before the run does, and
 * where that has failed, the run has.
 */
async function throughLayer(layer: Layer, run: Run, within: () => Promise<unknown>): Promise<unknown> {
  let inner: Promise<unknown> | undefined;
  let isPending = false;
  let hasAnswered = false;
  const begin = async (): Promise<unknown> => {
    if (inner !== undefined) throw wrongNext("twice: a handler runs once for each attempt");
    if (hasAnswered) throw wrongNext("after it had answered");
    isPending = true;
    inner = within().finally(() => (isPending = false));
    return inner;
  };
  try {
    const output = await layer(run, () => heardOrNot(begin()));
    if (!isPending) return output;
  } catch (error) {
    if (isPending) await Promise.allSettled([inner]);
    throw error;
  } finally {
    hasAnswered = true;
  }
  await inner;
  throw wrongNext("and did not wait for it: return it, or await it before you answer");
}
