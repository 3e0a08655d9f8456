import { AsyncLocalStorage } from "node:async_hooks";
import type { Run } from "./run.js";

/** The run within which code is executed; set around every handler. */
export const runScope: AsyncLocalStorage<Run> = new AsyncLocalStorage();
