import type { Storage } from "@taskq/core";
import { changedStorage } from "./changed-storage.js";

const NOTHING = { reaped: [], effects: [], nextAt: undefined };

/**
 * A storage that pops destructively, as a list does: what a consumer held when it was killed is gone, since no lease of
 * it is ever reaped. Only to show that the harness notices.
 */
export function neverReaping(storage: Storage): Storage {
  return changedStorage(storage, () => ({ reap: async () => NOTHING }));
}
