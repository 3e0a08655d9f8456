import { TaskqError } from "../errors.js";
import { splitId, type IdParts } from "../id.js";

/**
 * Where a listing goes on after a job that is not stored: one that is gone since the page before, mostly.
 *
 * @throws `TASKQ_OPTION` for an id that core did not make, which says nothing of it
 */
export function placeOfGone(after: string): IdParts {
  const parts = splitId(after);
  if (parts !== undefined) return parts;
  throw new TaskqError(
    "TASKQ_OPTION",
    `list: expected 'after' to be the id of a job, got '${after}', which is not known`,
  );
}
