/** Calls the handler of a run: resources, middleware, timeout. */
import type { Definition } from "../definition.js";
import { TaskqError, TimeoutError } from "../errors.js";
import { parseInput } from "../schema.js";
import type { GateVerdict } from "../storage.js";
import type { RunEnd } from "./decide.js";
import type { Run } from "./run.js";
import { throughRunMiddleware } from "./run-middleware.js";
import { disposeResources, lendResources } from "./run-resources.js";
import { runScope } from "./run-scope.js";

/** How the run ended, with what it answered. */
export type InvokedEnd = RunEnd & { readonly output?: unknown };

/**
 * Calls the handler, within the scope of its run. Answers what it answers, at once where it does and nothing stands
 * around it: each promise that is not made is saved for every job.
 *
 * @throws what the handler throws
 */
export function invoke(run: Run, definition: Definition, input: unknown): unknown {
  return runScope.run(run, isPlain(run, definition) ? callHandler : callGuarded, run, definition, input);
}

export function endOfReturn(run: Run, output: unknown): InvokedEnd {
  const reason = run.abortReason;
  // What came too late did not come, whatever it was.
  if (reason instanceof TimeoutError) return { kind: "timed-out", error: reason };
  // What it joins would be run although its flow was revoked.
  if (run.joined !== undefined && isRevoked(run)) return { kind: "revoked" };
  return { kind: "returned", output };
}

/** Tells a run that a user has revoked its job. */
export function revokeRun({ aborting }: Run): void {
  aborting.abort(new TaskqError("TASKQ_REVOKED", "the job was revoked"));
}

/** Whether it was told so. */
export function isRevoked({ abortReason }: Run): boolean {
  return abortReason instanceof TaskqError && abortReason.code === "TASKQ_REVOKED";
}

export function endOfThrow(run: Run, error: unknown): InvokedEnd {
  const reason = run.abortReason;
  if (reason instanceof TimeoutError) return { kind: "timed-out", error: reason };
  if (reason instanceof TaskqError && reason.code === "TASKQ_SHUTDOWN") return { kind: "interrupted" };
  if (isRevoked(run)) return { kind: "revoked" };
  return { kind: "threw", error };
}

function isPlain({ engine, host, claimed }: Run, { schema }: Definition): boolean {
  return (
    schema === undefined &&
    host.resources === undefined &&
    claimed.verdict === undefined &&
    engine.middleware.length === 0
  );
}

function callHandler(run: Run, definition: Definition, input: unknown): unknown {
  return run.deadlineAt === undefined ? definition.handler(input, run) : callTimed(run, definition, input);
}

/** While a handler blocks the event loop, no timer tells that its time is over. */
function callTimed(run: Run, definition: Definition, input: unknown): unknown {
  const calledAt = performance.now();
  try {
    return definition.handler(input, run);
  } finally {
    const timeoutMs = (run.deadlineAt ?? Infinity) - run.startedAt;
    if (performance.now() - calledAt > timeoutMs) run.aborting.abort(new TimeoutError(timeoutMs));
  }
}

async function callGuarded(run: Run, definition: Definition, input: unknown): Promise<unknown> {
  const { verdict } = run.claimed;
  if (verdict !== undefined) throw closedGate(verdict);
  try {
    if (run.host.resources !== undefined) await lendResources(run, run.host.resources);
    const { schema } = definition;
    const parsed =
      schema === undefined ? input : parseInput(schema, input, `the input of task '${definition.name}'`);
    const given = parsed instanceof Promise ? await parsed : parsed;
    return await throughRunMiddleware(run, run.engine.middleware, async () => {
      // What is around it may have taken so long that nobody wants the run any more, or somebody else has it.
      if (run.abortReason !== undefined) throw run.abortReason;
      return callHandler(run, definition, given);
    });
  } finally {
    if (run.host.resources !== undefined) await disposeResources(run);
  }
}

function closedGate({ gate, gateKind }: GateVerdict): TaskqError {
  return gateKind === "limit"
    ? new TaskqError("TASKQ_LIMITED", `the limit '${gate}' is used up, and the task says to fail then`)
    : new TaskqError("TASKQ_LOCKED", `'${gate}' was busy, and the task says to fail then`);
}
