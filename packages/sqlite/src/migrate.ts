import { TaskqError } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { MIGRATIONS, prefixed, SCHEMA_VERSION } from "./schema.js";

/** The version of the tables in a file; 0 where there are none. @throws `TASKQ_SCHEMA` */
function schemaVersion(connection: Connection): number {
  const name = `${connection.prefix}meta`;
  const there = connection.driver
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE")
    .get(name) as { name: string } | undefined;
  if (there === undefined) return 0;
  if (there.name !== name) {
    throw new TaskqError(
      "TASKQ_SCHEMA",
      `the SQLite file ${connection.path}: expected the tablePrefix '${there.name.slice(0, -"meta".length)}' of its tables, ` +
        `got '${connection.prefix}', which SQLite takes for the same`,
    );
  }
  const row = connection.driver
    .prepare(prefixed("SELECT value FROM {meta} WHERE name = 'schema'", connection.prefix))
    .get() as { value: number } | undefined;
  return row?.value ?? 0;
}

/** Whether the tables are up to date. @throws `TASKQ_SCHEMA` where they are not and may not be changed, or are newer */
export function schemaIsCurrent(connection: Connection, migrate: "auto" | "check"): boolean {
  const version = schemaVersion(connection);
  if (version === SCHEMA_VERSION) return true;
  if (version > SCHEMA_VERSION) {
    throw new TaskqError(
      "TASKQ_SCHEMA",
      `the SQLite file ${connection.path}: expected schema ${SCHEMA_VERSION} or older, got ${version}, made by a newer @taskq/sqlite`,
    );
  }
  if (migrate === "check") {
    throw new TaskqError(
      "TASKQ_SCHEMA",
      `the SQLite file ${connection.path}: expected schema ${SCHEMA_VERSION}, got ${version === 0 ? "none" : version}; ` +
        "open it once with migrate: 'auto' to bring it up to date",
    );
  }
  return false;
}

/** Brings the tables up to date; within a write transaction, so that others who open the file wait and find it done. */
export function applyMigrations(connection: Connection): void {
  const version = schemaVersion(connection);
  if (version >= SCHEMA_VERSION) return;
  const { driver, prefix } = connection;
  driver.exec(
    prefixed(
      "CREATE TABLE IF NOT EXISTS {meta} (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
      prefix,
    ),
  );
  for (const statements of MIGRATIONS.slice(version)) driver.exec(prefixed(statements, prefix));
  driver
    .prepare(prefixed("INSERT OR REPLACE INTO {meta} (name, value) VALUES ('schema', ?)", prefix))
    .run(SCHEMA_VERSION);
}
