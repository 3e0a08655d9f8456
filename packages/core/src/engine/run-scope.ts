import { AsyncLocalStorage } from "node:async_hooks";
import type { RunReference } from "../storage.js";
import type { Engine } from "./engine-types.js";
import type { Run } from "./run.js";

/** The run within which code is executed; set around every handler. */
export const runScope: AsyncLocalStorage<Run> = new AsyncLocalStorage();

/** The run of this queue within which code is executed. */
export function runOn({ name, storage }: Pick<Engine, "name" | "storage">): RunReference | undefined {
  const run = runScope.getStore();
  if (run === undefined || run.engine.name !== name || run.engine.storage !== storage) return undefined;
  return { id: run.id, fence: run.fence };
}
