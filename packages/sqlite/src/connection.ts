import type { Driver, DriverFactory, DriverStatement } from "./driver.js";
import { prefixed } from "./schema.js";

/** SQLite itself never waits for a busy file: it would block the event loop, for a millisecond at least. */
const BUSY_TIMEOUT = 0;
/**
 * Pages of the log after which a commit copies them into the database. Each time costs two waits for the disk; but where
 * each commit waits for it too, a short log is quicker, which is soon written over and no longer grows.
 */
const AUTOCHECKPOINT = { normal: 4_000, full: 1_000 } as const;
/** After a reset, what the WAL file is cut down to. */
const JOURNAL_SIZE_LIMIT = 32 * 1024 * 1024;
/** In KiB; negative, as SQLite reads it. Measured: twice as much is no quicker, and a consumer is larger by as much. */
const CACHE_SIZE = -16_384;

/** Runs a read; after a pause, another one may find the storage closed. */
export type Reader = <T>(work: (connection: Connection) => T) => Promise<T>;

export interface ConnectionOptions {
  readonly path: string;
  readonly prefix: string;
  readonly durability: "normal" | "full";
}

/** Our own connection: every statement is prepared once. */
export class Connection {
  readonly driver: Driver;
  readonly path: string;
  readonly prefix: string;
  /** Whether text is stored as UTF-8; a file that others made may have another encoding. */
  readonly isUtf8: boolean;
  private readonly statements = new Map<string, DriverStatement>();
  private readonly rawStatements = new Map<string, DriverStatement>();

  constructor(driver: Driver, path: string, prefix: string) {
    this.driver = driver;
    this.path = path;
    this.prefix = prefix;
    this.isUtf8 = driver.pragma("encoding", { simple: true }) === "UTF-8";
  }

  /** Rows as objects. `{name}` in the text stands for a table of ours. */
  sql(text: string): DriverStatement {
    const known = this.statements.get(text);
    if (known !== undefined) return known;
    const statement = this.driver.prepare(prefixed(text, this.prefix));
    this.statements.set(text, statement);
    return statement;
  }

  /** Rows as arrays. */
  raw(text: string): DriverStatement {
    const known = this.rawStatements.get(text);
    if (known !== undefined) return known;
    const statement = this.driver.prepare(prefixed(text, this.prefix)).raw(true);
    this.rawStatements.set(text, statement);
    return statement;
  }

  /** Changes with every commit of another connection, and not with our own. */
  dataVersion(): number {
    return (this.sql("PRAGMA data_version").get() as { data_version: number }).data_version;
  }

  /** Reads all of it as of one moment. */
  snapshot<T>(work: () => T): T {
    if (this.driver.inTransaction) return work();
    this.sql("BEGIN").run();
    try {
      return work();
    } finally {
      // A disk that fails has ended it, and what is thrown says so.
      if (this.driver.inTransaction) this.sql("COMMIT").run();
    }
  }

  close(): void {
    if (this.driver.open) this.driver.close();
  }
}

/** Opens the file in WAL mode; it is created if it is not there. */
export function connect(factory: DriverFactory, options: ConnectionOptions): Connection {
  const driver = new factory(options.path, { timeout: BUSY_TIMEOUT });
  try {
    driver.pragma("journal_mode = WAL");
    driver.pragma(`synchronous = ${options.durability === "full" ? "FULL" : "NORMAL"}`);
    // macOS leaves what it was asked to bring to the disk in the memory of the disk, unless it is asked for that too; others ignore it.
    driver.pragma(`${options.durability === "full" ? "fullfsync" : "checkpoint_fullfsync"} = ON`);
    driver.pragma(`wal_autocheckpoint = ${AUTOCHECKPOINT[options.durability]}`);
    driver.pragma(`journal_size_limit = ${JOURNAL_SIZE_LIMIT}`);
    driver.pragma(`cache_size = ${CACHE_SIZE}`);
    driver.pragma("temp_store = MEMORY");
    driver.pragma("foreign_keys = OFF");
    return new Connection(driver, options.path, options.prefix);
  } catch (error) {
    driver.close();
    throw error;
  }
}
