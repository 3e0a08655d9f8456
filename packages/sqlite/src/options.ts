import { TaskqError } from "@taskq/core/storage";
import type { SqliteDatabase } from "./database.js";

/** How a storage in a file is opened. */
export type SqliteOptions = SqliteSource & {
  /** `full`: a power cut loses nothing either. @default 'normal' */
  readonly durability?: "normal" | "full";
  /** Letters, digits and `_`, not beginning with a digit; 32 at most. @default 'taskq_' */
  readonly tablePrefix?: string;
  /** `check` refuses a file whose schema is not up to date. @default 'auto' */
  readonly migrate?: "auto" | "check";
};

/** Where the file is. */
export type SqliteSource =
  | {
      /** Created with mode 0600. */
      readonly path: string;
      readonly database?: never;
    }
  | { readonly database: SqliteDatabase; readonly path?: never };

/** The options with their defaults. */
export interface Settings {
  readonly path: string | undefined;
  readonly database: SqliteDatabase | undefined;
  readonly durability: "normal" | "full";
  readonly tablePrefix: string;
  readonly migrate: "auto" | "check";
}

const KNOWN = ["path", "database", "durability", "tablePrefix", "migrate"];
const PREFIX = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;

/** Checks the options. @throws `TASKQ_OPTION` */
export function settingsOf(options: unknown): Settings {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw unexpected("sqliteStorage", "an object with 'path' or 'database'", options);
  }
  const given = options as Record<string, unknown>;
  for (const key of Object.keys(given)) {
    if (KNOWN.includes(key)) continue;
    const known = KNOWN.map((name) => `'${name}'`).join(", ");
    throw new TaskqError("TASKQ_OPTION", `sqliteStorage: unknown option '${key}'; known are ${known}`);
  }
  const { path, database, durability = "normal", tablePrefix = "taskq_", migrate = "auto" } = given;
  if ((path === undefined) === (database === undefined)) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `sqliteStorage: expected either 'path' or 'database', got ${path === undefined ? noneOf(given) : "both"}`,
    );
  }
  return {
    path: path === undefined ? undefined : checkedPath(path),
    database: database === undefined ? undefined : checkedDatabase(database),
    durability: oneOf(durability, ["normal", "full"], "durability"),
    tablePrefix: checkedPrefix(tablePrefix),
    migrate: oneOf(migrate, ["auto", "check"], "migrate"),
  };
}

function noneOf(given: Record<string, unknown>): string {
  if (!("path" in given)) return "neither";
  return "a path that is undefined; the variable that it is read from may be unset";
}

function checkedPath(path: unknown): string {
  if (path instanceof URL) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `sqliteStorage path: expected the path of a file, got a URL; write { path: fileURLToPath(url) }`,
    );
  }
  if (typeof path !== "string" || path === "")
    throw unexpected("sqliteStorage path", "the path of a file", path);
  // better-sqlite3 leaves them out, and would open another file than the one that is made for it alone.
  if (path !== path.trimEnd())
    throw unexpected("sqliteStorage path", "the path of a file, without blanks at its end", path);
  if (/^(?:file|sqlite):/.test(path))
    throw unexpected("sqliteStorage path", "the path of a file, since URIs are not taken", path);
  if (path === ":memory:") {
    throw new TaskqError(
      "TASKQ_OPTION",
      `sqliteStorage path: expected the path of a file, got '${path}'; for a queue in memory use memoryStorage() of @taskq/memory`,
    );
  }
  if (path.includes("\0")) throw unexpected("sqliteStorage path", "a path without a zero character", path);
  return path;
}

const DATABASE_METHODS = ["prepare", "exec"] as const;

function checkedDatabase(database: unknown): SqliteDatabase {
  const given = database as Partial<Record<string, unknown>> | null;
  const isDatabase =
    typeof given === "object" &&
    given !== null &&
    DATABASE_METHODS.every((name) => typeof given[name] === "function");
  if (!isDatabase) throw unexpected("sqliteStorage database", "an open better-sqlite3 connection", database);
  return database as SqliteDatabase;
}

function checkedPrefix(prefix: unknown): string {
  if (typeof prefix === "string" && PREFIX.test(prefix) && !/^sqlite_/i.test(prefix)) return prefix;
  throw unexpected(
    "sqliteStorage tablePrefix",
    "1 to 32 letters, digits and _, not beginning with a digit or with sqlite_",
    prefix,
  );
}

function oneOf<const Choice extends string>(
  value: unknown,
  choices: readonly Choice[],
  name: string,
): Choice {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw unexpected(`sqliteStorage ${name}`, choices.map((choice) => `'${choice}'`).join(" or "), value);
}

function unexpected(what: string, expected: string, came: unknown): TaskqError {
  return new TaskqError("TASKQ_OPTION", `${what}: expected ${expected}, got ${shown(came)}`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return `'${value.length > 80 ? `${value.slice(0, 77)}...` : value}'`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "an array" : "an object";
}
