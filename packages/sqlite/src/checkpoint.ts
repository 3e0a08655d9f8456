import { statSync } from "node:fs";
import type { Connection } from "./connection.js";
import { LogSync } from "./log-sync.js";

/** Milliseconds between two looks at the log while there are writes. */
const INTERVAL = 100;
/** Bytes of the log above which its frames are copied into the database. */
const COPY_ABOVE = 24 * 1024 * 1024;
/** Bytes above which the log is begun anew, for which writers wait a moment. */
const RESTART_ABOVE = 40 * 1024 * 1024;
/** Bytes above which it is cut down too. */
const TRUNCATE_ABOVE = 64 * 1024 * 1024;

/**
 * Keeps the write-ahead log short, off the path of the writes. SQLite's own checkpoint after a commit goes on with the
 * common case; with several writers it never finds the moment at which the log could begin anew.
 */
export class Checkpointer {
  private readonly connection: Connection;
  private readonly log: string;
  private readonly sync: LogSync | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param syncs whether the log is brought to the disk by the way: not where each commit waits for that */
  constructor(connection: Connection, syncs: boolean) {
    this.connection = connection;
    this.log = `${connection.path}-wal`;
    this.sync = syncs ? new LogSync(this.log) : undefined;
  }

  /** After each commit, of so many rows of jobs. */
  readonly committed = (rows: number): void => {
    this.sync?.wrote(rows);
    this.timer ??= setTimeout(() => this.look(), INTERVAL).unref();
  };

  stop(): void {
    this.sync?.stop();
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    this.timer = undefined;
    const { driver } = this.connection;
    if (!driver.open || driver.inTransaction) return;
    try {
      const size = statSync(this.log, { throwIfNoEntry: false })?.size ?? 0;
      if (size < COPY_ABOVE) return;
      const mode = size < RESTART_ABOVE ? "PASSIVE" : size < TRUNCATE_ABOVE ? "RESTART" : "TRUNCATE";
      driver.pragma(`wal_checkpoint(${mode})`);
    } catch {
      // Somebody else does it, or writes, or the way to the file is closed: the next look comes with the next commit.
    }
  }
}
