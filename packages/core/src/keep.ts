import { milliseconds, type Duration } from "./duration.js";
import { integer, refuseUnknown } from "./options.js";
import type { Keep, Retention } from "./vocabulary/keep.js";

/** A `Keep`, checked; `undefined`: not said. */
export interface CheckedKeep {
  readonly completed: CheckedRetention | undefined;
  readonly failed: CheckedRetention | undefined;
}

/** `undefined`: not said. */
export interface CheckedRetention {
  readonly forMs: number | undefined;
  readonly max: number | undefined;
}

/** How long final jobs are kept, checked. @throws `TASKQ_OPTION` */
export function checkedKeep(keep: Keep, what: string): CheckedKeep {
  refuseUnknown(keep, ["completed", "failed"], what);
  return Object.freeze({
    completed: checkedRetention(keep.completed, `${what} completed`),
    failed: checkedRetention(keep.failed, `${what} failed`),
  });
}

function checkedRetention(
  retention: Duration | Retention | undefined,
  what: string,
): CheckedRetention | undefined {
  if (retention === undefined) return undefined;
  if (typeof retention !== "object") {
    return Object.freeze({ forMs: milliseconds(retention, what), max: undefined });
  }
  refuseUnknown(retention, ["for", "max"], what);
  return Object.freeze({
    forMs: retention.for === undefined ? undefined : milliseconds(retention.for, `${what} for`),
    max: retention.max === undefined ? undefined : integer(retention.max, `${what} max`, { min: 0 }),
  });
}
