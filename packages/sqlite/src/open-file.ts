import { closeSync, existsSync, openSync } from "node:fs";
import { TaskqError } from "@taskq/core/storage";
import { connect, type Connection } from "./connection.js";
import type { DriverFactory } from "./driver.js";
import { isBusy, isOfDriver, storageError } from "./failure.js";
import { checkPlace, FileGuard } from "./file-guard.js";
import { behindLinks } from "./links.js";
import { applyMigrations, schemaIsCurrent } from "./migrate.js";
import type { Settings } from "./options.js";
import { BUSY_LIMIT, busyError, pauseBeforeRetry } from "./writer.js";

/** Before it, writers in several processes could corrupt a database in WAL mode as its log was reset. */
const OLDEST_SQLITE = [3, 51, 3] as const;

export interface OpenFile {
  readonly connection: Connection;
  readonly guard: FileGuard;
}

/** Opens the file and brings its tables up to date; others may be doing the same. @throws `TASKQ_STORAGE` `TASKQ_SCHEMA` `TASKQ_BUSY` */
export async function openFile(
  factory: DriverFactory,
  path: string,
  settings: Settings,
  busyLimit: number = BUSY_LIMIT,
): Promise<OpenFile> {
  try {
    return await openUnlessBusy(factory, path, settings, busyLimit);
  } catch (error) {
    throw openingError(error, path);
  }
}

async function openUnlessBusy(
  factory: DriverFactory,
  path: string,
  settings: Settings,
  busyLimit: number,
): Promise<OpenFile> {
  const place = { path, file: behindLinks(path) };
  checkPlace(place.file);
  createPrivately(place.file);
  const since = performance.now();
  for (;;) {
    try {
      return attempt(factory, place, settings);
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() - since > busyLimit) throw busyError(path, busyLimit, error);
    }
    await pauseBeforeRetry();
  }
}

/** What the system refuses, and the driver where the folder is gone, as errors of ours: neither has read anything yet. */
function openingError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof TaskqError || isOfDriver(error)) {
    return storageError(error, path);
  }
  return new TaskqError(
    "TASKQ_STORAGE",
    `the SQLite file ${path}: expected to be able to open it, got ${error.message}`,
    { cause: error },
  );
}

interface Place {
  /** As it was given: a link that leads elsewhere by and by is noticed too. */
  readonly path: string;
  readonly file: string;
}

function attempt(factory: DriverFactory, { path, file }: Place, settings: Settings): OpenFile {
  const connection = connect(factory, {
    path: file,
    prefix: settings.tablePrefix,
    durability: settings.durability,
  });
  try {
    const { version } = connection.driver.prepare("SELECT sqlite_version() AS version").get() as {
      version: string;
    };
    refuseOldSqlite(version);
    if (!schemaIsCurrent(connection, settings.migrate)) migrate(connection);
    return { connection, guard: new FileGuard(path, file) };
  } catch (error) {
    connection.close();
    throw error;
  }
}

function migrate(connection: Connection): void {
  connection.driver.exec("BEGIN IMMEDIATE");
  try {
    applyMigrations(connection);
    connection.driver.exec("COMMIT");
  } catch (error) {
    if (connection.driver.inTransaction) connection.driver.exec("ROLLBACK");
    throw error;
  }
}

/** An empty file that only its owner may read; what SQLite puts beside it has the same mode. */
function createPrivately(path: string): void {
  if (existsSync(path)) return;
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw new TaskqError(
      "TASKQ_STORAGE",
      `the SQLite file ${path}: expected to be able to create it, got ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** @throws `TASKQ_STORAGE` */
export function refuseOldSqlite(version: string): void {
  const parts = version.split(".").map(Number);
  for (const [index, oldest] of OLDEST_SQLITE.entries()) {
    const part = parts[index] ?? 0;
    if (part > oldest) return;
    if (part < oldest) {
      throw new TaskqError(
        "TASKQ_STORAGE",
        `SQLite: expected ${OLDEST_SQLITE.join(".")} or later, got ${version}, with which several writers can corrupt a file`,
      );
    }
  }
}
