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
  const columns = connection.driver
    .prepare("SELECT count(*) AS count FROM pragma_table_info(?) WHERE name IN ('name', 'value')")
    .get(name) as { count: number };
  if (columns.count < 2) throw foreign(connection, { type: "table", name });
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
  if (version === 0) refuseForeign(connection);
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

interface Entry {
  readonly type: string;
  readonly name: string;
}

/** A table of somebody else under one of our names would be written into, or stand in the way. @throws `TASKQ_SCHEMA` */
function refuseForeign(connection: Connection): void {
  const ours = [...MIGRATIONS.join("\n").matchAll(/CREATE (?:TABLE|INDEX) \{(\w+)\}/g)].map(
    ([, name]) => name,
  );
  const taken = connection.driver
    .prepare(
      "SELECT type, name FROM sqlite_schema WHERE lower(name) IN (SELECT lower(? || value) FROM json_each(?)) LIMIT 1",
    )
    .get(connection.prefix, JSON.stringify(["meta", ...ours])) as Entry | undefined;
  if (taken !== undefined) throw foreign(connection, taken);
}

function foreign({ path, prefix }: Connection, { type, name }: Entry): TaskqError {
  return new TaskqError(
    "TASKQ_SCHEMA",
    `the SQLite file ${path}: expected the names that begin with '${prefix}' to be free, got the ${type} '${name}', which ` +
      "is not of taskq; give sqliteStorage a tablePrefix of its own",
  );
}
