import { AsyncLocalStorage } from "node:async_hooks";
import { TaskqError } from "../errors.js";
import type { RunReference } from "../storage.js";
import type { Engine } from "./engine-types.js";
import type { Run } from "./run.js";

/** The run within which code is executed; set around every handler. */
export const runScope: AsyncLocalStorage<Run> = new AsyncLocalStorage();

/**
 * The run that was refused because its queue moves: it ends where it is, and the same call that names it is taken.
 *
 * @throws the error, if it says something else or does not come from a run of this queue
 */
export function movingRun(engine: Pick<Engine, "name" | "storage">, error: unknown): RunReference {
  const moved = error instanceof TaskqError && error.code === "TASKQ_MOVED";
  const run = moved ? runOn(engine) : undefined;
  if (run === undefined) throw error;
  return run;
}

/**
 * The run within which code is executed, as long as its handler has not ended: what that has left behind, such as a timer or a
 * listener, goes on within the scope.
 */
export function currentRun(): Run | undefined {
  const run = runScope.getStore();
  return run?.hasEnded === true ? undefined : run;
}

/** The run of this queue within which code is executed. */
export function runOn({ name, storage }: Pick<Engine, "name" | "storage">): RunReference | undefined {
  const run = currentRun();
  if (run === undefined || run.engine.name !== name || run.engine.storage !== storage) return undefined;
  return { id: run.id, fence: run.fence };
}
