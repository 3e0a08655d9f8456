/** Runs whose end a storage refuses to keep, whatever it may be that it cannot take. */
import { TaskqError } from "../errors.js";
import { isMetByAll } from "../met-by-all.js";
import { errorText } from "./failure.js";
import type { FinishedRun } from "./finished-run.js";
import { openMessage } from "./open-message.js";
import { failedInstead } from "./settle-run.js";

/** The storage was not asked at all, or others had it for the whole time. */
const AWAY: ReadonlySet<string> = new Set(["TASKQ_UNAVAILABLE", "TASKQ_BUSY", "TASKQ_CLOSED"]);

/** Whether an error of a storage may be due to what it was asked for. */
export function isRefusal(error: unknown): boolean {
  return !isMetByAll(error) && !(error instanceof TaskqError && AWAY.has(error.code));
}

/**
 * How to settle a run instead: as a failed attempt, with what the storage says; its retries count. `undefined` where it
 * has not run, or nothing is stored of how it ended but that it did.
 *
 * @param cause what the storage refused its settlement with
 */
export function refusedRun(finished: FinishedRun, cause: unknown): FinishedRun | undefined {
  const { run, settlement } = finished;
  const { kind } = settlement.outcome;
  const policy = run.engine.policies.get(run.claimed.task);
  if (policy === undefined || (kind !== "completed" && kind !== "failed" && kind !== "retry"))
    return undefined;
  const error = new TaskqError(
    "TASKQ_STORAGE",
    `expected the storage to keep how the run ended, got a refusal: ${errorText(cause)}`,
    { cause },
  );
  try {
    return failedInstead(finished, error, openMessage(run), policy);
  } catch {
    // It was read when it began, and its serializer throws by now.
    return undefined;
  }
}
