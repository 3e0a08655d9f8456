import { TaskqError } from "@taskq/core/storage";
import { Connection } from "./connection.js";
import type { SqliteDatabase, SqliteStatement } from "./database.js";
import type { Driver, DriverStatement } from "./driver.js";
import { refuseOldSqlite } from "./open-file.js";

/** The file behind a user's connection. @throws `TASKQ_OPTION` for a database in memory, or a closed one */
export function pathOfDatabase(database: SqliteDatabase): string {
  const main = (databases(database) as readonly { readonly name: string; readonly file: string }[]).find(
    ({ name }) => name === "main",
  );
  if (main !== undefined && main.file !== "") return main.file;
  throw new TaskqError(
    "TASKQ_OPTION",
    "database: expected a connection to a file, got one to a database in memory, which a second connection cannot reach; " +
      "for a queue in memory use memoryStorage() of @taskq/memory",
  );
}

function databases(database: SqliteDatabase): unknown[] {
  try {
    return database.prepare("PRAGMA database_list").all();
  } catch (error) {
    throw new TaskqError(
      "TASKQ_OPTION",
      "database: expected an open connection, got one that refuses to read",
      {
        cause: error,
      },
    );
  }
}

/** A user's connection as ours: for transactional enqueue only. It stays his to close. @throws `TASKQ_STORAGE` */
export function userConnection(database: SqliteDatabase, path: string, prefix: string): Connection {
  const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  refuseOldSqlite(version);
  return new Connection(new UserDriver(database, path), path, prefix);
}

class UserDriver implements Driver {
  readonly name: string;
  private readonly database: SqliteDatabase;

  constructor(database: SqliteDatabase, path: string) {
    this.database = database;
    this.name = path;
  }

  get open(): boolean {
    return this.database.open;
  }

  get inTransaction(): boolean {
    return this.database.inTransaction;
  }

  prepare(source: string): DriverStatement {
    return new UserStatement(this.database.prepare(source));
  }

  exec(source: string): unknown {
    return this.database.exec(source);
  }

  pragma(source: string): unknown {
    return this.database.prepare(`PRAGMA ${source}`).all();
  }

  close(): void {}
}

type Adjustable = SqliteStatement & { safeIntegers?: (on: boolean) => unknown };

class UserStatement implements DriverStatement {
  private readonly statement: SqliteStatement;
  private asArrays = false;

  constructor(statement: SqliteStatement) {
    // The user may have asked for BigInt everywhere.
    (statement as Adjustable).safeIntegers?.(false);
    this.statement = statement;
  }

  run(...parameters: unknown[]): { readonly changes: number } {
    return { changes: this.statement.run(...parameters).changes };
  }

  get(...parameters: unknown[]): unknown {
    return this.shaped(this.statement.get(...parameters));
  }

  all(...parameters: unknown[]): unknown[] {
    return this.statement.all(...parameters).map((row) => this.shaped(row));
  }

  raw(on = true): DriverStatement {
    this.asArrays = on;
    return this;
  }

  private shaped(row: unknown): unknown {
    return this.asArrays && typeof row === "object" && row !== null ? Object.values(row) : row;
  }
}
