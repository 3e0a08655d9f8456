import { metByAll, TaskqError } from "@taskq/core/storage";

/** SQLite's code of an error, such as `SQLITE_BUSY`; `undefined` for another error. */
function sqliteCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

/** Whether SQLite told of it. */
export function isOfDriver(error: unknown): boolean {
  return sqliteCode(error) !== undefined;
}

/** `SQLITE_PROTOCOL`: others were quicker, a hundred times in a row, at taking their place in the log. */
const BUSY = ["SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"];

/** Whether somebody else holds the file for the moment. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && BUSY.some((kind) => code.startsWith(kind));
}

/** Whether SQLite could not carry out a statement because of a value that it met. */
export function isUntold(error: unknown): boolean {
  return sqliteCode(error) === "SQLITE_ERROR";
}

/** Whether a value would be larger than SQLite makes them: a gigabyte. */
export function isTooLarge(error: unknown): boolean {
  return sqliteCode(error) === "SQLITE_TOOBIG";
}

/** What the file does to every write: a full disk, one that fails, a file that can no longer be written. */
const OF_FILE = ["SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN"];

/** Whether an error, ours or the driver's, befalls any write just now. */
export function isOfFile(error: unknown): boolean {
  const code = sqliteCode(error instanceof TaskqError ? error.cause : error);
  return code !== undefined && OF_FILE.some((kind) => code.startsWith(kind));
}

/** An error as callers get it: our own as they are, the driver's as `TASKQ_STORAGE` with their cause. */
export function storageError(error: unknown, path: string): unknown {
  if (error instanceof TaskqError) return error;
  const code = sqliteCode(error);
  if (
    code === undefined &&
    !(error instanceof TypeError && /database connection is not open/.test(error.message))
  ) {
    return isOfDamage(error) ? damaged(path, error) : error;
  }
  const message = error instanceof Error ? error.message : String(error);
  const told = new TaskqError("TASKQ_STORAGE", `the SQLite file ${path}: ${explained(code)}${message}`, {
    cause: error,
  });
  return isOfFile(error) ? metByAll(told) : told;
}

/** What a row makes of us that somebody has written into: it is of another type, out of range, or no JSON. */
function isOfDamage(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError;
}

function damaged(path: string, cause: Error): TaskqError {
  const message = `the SQLite file ${path}: a stored row is damaged: expected what taskq stores, got something else`;
  // A parser quotes what it parsed.
  return new TaskqError("TASKQ_STORAGE", message, cause instanceof SyntaxError ? undefined : { cause });
}

function explained(code: string | undefined): string {
  if (code === undefined) return "";
  if (code.startsWith("SQLITE_FULL")) return "expected room on the disk, got a full one: ";
  if (code.startsWith("SQLITE_NOTADB")) return "expected a SQLite database, got another kind of file: ";
  if (code.startsWith("SQLITE_CORRUPT")) return "expected a sound database, got a corrupt one: ";
  if (code.startsWith("SQLITE_READONLY")) return "expected a file that can be written, got a read-only one: ";
  if (code.startsWith("SQLITE_CANTOPEN")) return "expected a file that can be opened and written: ";
  if (code.startsWith("SQLITE_IOERR")) {
    return `expected a disk that reads and writes, got a refusal of the system (${code}; a failing disk, a full quota): `;
  }
  return "";
}

/** Whether a key is taken. */
export function isConstraint(error: unknown): boolean {
  return sqliteCode(error)?.startsWith("SQLITE_CONSTRAINT") === true;
}
