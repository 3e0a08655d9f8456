import { TaskqError } from "@taskq/core/storage";

/** SQLite's code of an error, such as `SQLITE_BUSY`; `undefined` for another error. */
function sqliteCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

/** Whether somebody else holds the file for the moment. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"));
}

/** An error as callers get it: our own as they are, the driver's as `TASKQ_STORAGE` with their cause. */
export function storageError(error: unknown, path: string): unknown {
  if (error instanceof TaskqError) return error;
  const code = sqliteCode(error);
  if (
    code === undefined &&
    !(error instanceof TypeError && /database connection is not open/.test(error.message))
  ) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new TaskqError("TASKQ_STORAGE", `the SQLite file ${path}: ${explained(code)}${message}`, {
    cause: error,
  });
}

function explained(code: string | undefined): string {
  if (code === undefined) return "";
  if (code.startsWith("SQLITE_FULL")) return "expected room on the disk, got a full one: ";
  if (code.startsWith("SQLITE_NOTADB")) return "expected a SQLite database, got another kind of file: ";
  if (code.startsWith("SQLITE_CORRUPT")) return "expected a sound database, got a corrupt one: ";
  if (code.startsWith("SQLITE_READONLY")) return "expected a file that can be written, got a read-only one: ";
  if (code.startsWith("SQLITE_CANTOPEN")) return "expected a file that can be opened and written: ";
  return "";
}

/** Whether a key is taken. */
export function isConstraint(error: unknown): boolean {
  return sqliteCode(error)?.startsWith("SQLITE_CONSTRAINT") === true;
}
