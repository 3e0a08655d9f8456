import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { CheckpointMode, CheckpointWork } from "./checkpoint-thread.js";
import type { Connection } from "./connection.js";

/** Milliseconds between two looks at the log while there are writes. */
const INTERVAL = 100;
/** Bytes of the log above which its frames are copied into the database. */
const COPY_ABOVE = 2 * 1024 * 1024;
/** Bytes above which the log is begun anew, for which writers wait a moment. */
const RESTART_ABOVE = 16 * 1024 * 1024;
/** Bytes above which it is cut down too. */
const TRUNCATE_ABOVE = 64 * 1024 * 1024;
/** Pages after which SQLite itself copies within a commit, should the thread fall behind. */
const SAFETY_NET = 16_000;

/**
 * Keeps the write-ahead log short. Copying its frames into the database waits for the disk: a thread of its own does
 * that, which begins with the first log that is worth it, so that neither a commit nor the event loop waits. SQLite's
 * own way is left where no thread can be had.
 */
export class Checkpointer {
  private readonly connection: Connection;
  private readonly log: string;
  private timer: NodeJS.Timeout | undefined;
  private thread: Worker | undefined;
  private busy = false;
  private inline = false;

  constructor(connection: Connection) {
    this.connection = connection;
    this.log = `${connection.path}-wal`;
  }

  /** After each commit. */
  readonly committed = (): void => {
    this.timer ??= setTimeout(() => this.look(), INTERVAL).unref();
  };

  /** Resolves when the thread has let go of the file. */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.inline = true;
    const { thread } = this;
    this.thread = undefined;
    await thread?.terminate();
  }

  private look(): void {
    this.timer = undefined;
    const { driver } = this.connection;
    if (!driver.open || this.busy) return;
    const size = statSync(this.log, { throwIfNoEntry: false })?.size ?? 0;
    if (size < COPY_ABOVE) return;
    const mode = size < RESTART_ABOVE ? "PASSIVE" : size < TRUNCATE_ABOVE ? "RESTART" : "TRUNCATE";
    if (this.inline) this.copyInline(mode);
    else this.ask(mode);
  }

  private ask(mode: CheckpointMode): void {
    this.busy = true;
    this.thread ??= this.start();
    this.thread.postMessage(mode);
  }

  private start(): Worker {
    const workerData: CheckpointWork = { path: this.connection.path };
    const thread = new Worker(new URL("./checkpoint-thread.js", import.meta.url), { workerData });
    thread.unref();
    thread.on("message", () => {
      this.busy = false;
      if (this.connection.driver.open) this.connection.driver.pragma(`wal_autocheckpoint = ${SAFETY_NET}`);
    });
    thread.on("error", () => this.goInline());
    thread.on("exit", () => this.goInline());
    return thread;
  }

  private goInline(): void {
    this.busy = false;
    this.thread = undefined;
    if (this.inline) return;
    this.inline = true;
    const { driver } = this.connection;
    if (driver.open) driver.pragma("wal_autocheckpoint = 1000");
  }

  private copyInline(mode: CheckpointMode): void {
    const { driver } = this.connection;
    if (driver.inTransaction) return;
    try {
      driver.pragma(`wal_checkpoint(${mode})`);
    } catch {
      // Somebody else does it, or writes: the next look comes with the next commit.
    }
  }
}
