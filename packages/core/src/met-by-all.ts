/** Errors that are no fault of what was asked for. */

/** The same for every copy of this package in a process. */
const MARK = Symbol.for("taskq.error.met-by-all");

/**
 * Marks an error of a storage that whatever is asked of it meets just now: a full disk, a memory without room, a
 * password that was changed. Whoever repeats a call takes it for none of the call's own.
 */
export function metByAll<AnyError extends Error>(error: AnyError): AnyError {
  return Object.defineProperty(error, MARK, { value: true });
}

/** Whether it was marked so. */
export function isMetByAll(error: unknown): boolean {
  return typeof error === "object" && error !== null && Reflect.get(error, MARK) === true;
}
