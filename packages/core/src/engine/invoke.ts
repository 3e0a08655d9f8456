/** Calls the handler of a run: resources, middleware, timeout. */
import type { Definition } from "../definition.js";
import { TaskqError, TimeoutError } from "../errors.js";
import { parseInput } from "../schema.js";
import type { Middleware } from "../vocabulary/middleware.js";
import type { RunEnd } from "./decide.js";
import type { Run } from "./run.js";
import { disposeResources, lendResources } from "./run-resources.js";
import { runScope } from "./run-scope.js";

/** How the run ended, with what it answered. */
export type InvokedEnd = RunEnd & { readonly output?: unknown };

/** Runs the handler under its timeout. Resolves when the handler has really ended; never rejects. */
export async function invoke(
  run: Run,
  definition: Definition,
  input: unknown,
  timeoutMs: number | undefined,
): Promise<InvokedEnd> {
  const timer = timeoutMs === undefined ? undefined : startTimer(run, timeoutMs);
  try {
    const output = await runScope.run(run, call, run, definition, input);
    if (run.aborting.reason instanceof TimeoutError) {
      return { kind: "timed-out", error: run.aborting.reason };
    }
    return { kind: "returned", output };
  } catch (error) {
    return endOfThrow(run, error);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

/** The longest delay a timer of Node takes. */
const LONGEST_TIMER = 2 ** 31 - 1;

function startTimer(run: Run, timeoutMs: number): NodeJS.Timeout {
  run.deadlineAt = run.startedAt + timeoutMs;
  const expire = (): void => run.aborting.abort(new TimeoutError(timeoutMs));
  // A run of more than 24 days is not cut short at 24 days: its timer never fires, its deadline stays readable.
  return setTimeout(
    timeoutMs > LONGEST_TIMER ? () => {} : expire,
    Math.min(timeoutMs, LONGEST_TIMER),
  ).unref();
}

function endOfThrow(run: Run, error: unknown): RunEnd {
  const { reason } = run.aborting;
  if (reason instanceof TimeoutError) return { kind: "timed-out", error: reason };
  if (reason instanceof TaskqError && reason.code === "TASKQ_SHUTDOWN") return { kind: "interrupted" };
  if (reason instanceof TaskqError && reason.code === "TASKQ_REVOKED") return { kind: "revoked" };
  return { kind: "threw", error };
}

async function call(run: Run, definition: Definition, input: unknown): Promise<unknown> {
  const { verdict } = run.claimed;
  if (verdict !== undefined) {
    throw new TaskqError("TASKQ_LOCKED", `'${verdict.gate}' was busy, and the task says to fail then`);
  }
  if (run.host.resources !== undefined) await lendResources(run, run.host.resources);
  try {
    const { schema } = definition;
    const parsed =
      schema === undefined ? input : parseInput(schema, input, `the input of task '${definition.name}'`);
    const given = parsed instanceof Promise ? await parsed : parsed;
    return await throughRunMiddleware(run, run.engine.middleware, async () => definition.handler(given, run));
  } finally {
    if (run.host.resources !== undefined) await disposeResources(run);
  }
}

function throughRunMiddleware(
  run: Run,
  middleware: readonly Middleware[],
  handler: () => Promise<unknown>,
): Promise<unknown> {
  const layers = middleware.filter((layer) => layer.run !== undefined);
  if (layers.length === 0) return handler();
  const at = async (index: number): Promise<unknown> => {
    const layer = layers[index];
    return layer?.run === undefined ? handler() : layer.run(run, () => at(index + 1));
  };
  return at(0);
}
