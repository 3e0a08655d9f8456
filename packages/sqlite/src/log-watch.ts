import { watch, type FSWatcher } from "node:fs";

/** Milliseconds after which the system is asked again to tell of writes, if it would not: watches are used up at times. */
const AGAIN = 30_000;

export interface LogWatchOptions {
  readonly path: string;
  /** Its log is written. */
  readonly told: () => void;
  /** What is left where the system does not tell, for the warning that says so. */
  readonly instead: string;
}

/**
 * What the system tells of the log of a SQLite file, as far as it does. Not of its folder: macOS tells of a file in a folder
 * not before it is closed (FSEvents), and whoever watches a folder is told of all that lies beside it. The log stays as
 * long as we have it open, and SQLite locks nothing of it: a descriptor of it that is closed lets go of no lock.
 */
export class LogWatch {
  private readonly options: LogWatchOptions;
  private readonly log: string;
  private watcher: FSWatcher | undefined;
  private isWanted = false;
  private triedAt = 0;
  private hasWarned = false;

  constructor(options: LogWatchOptions) {
    this.options = options;
    this.log = `${options.path}-wal`;
  }

  get isListening(): boolean {
    return this.watcher !== undefined;
  }

  listen(): void {
    this.isWanted = true;
    this.triedAt = performance.now();
    try {
      const watcher = watch(this.log, { persistent: false }, () => this.options.told());
      this.watcher = watcher;
      watcher.on("error", (error) => {
        watcher.close();
        if (this.watcher === watcher) this.unwatched(error);
      });
    } catch (error) {
      this.unwatched(error);
    }
  }

  letGo(): void {
    this.isWanted = false;
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** Asks the system again, if it would not, after a while. */
  tryAgain(): void {
    if (this.isWanted && !this.isListening && performance.now() - this.triedAt >= AGAIN) this.listen();
  }

  private unwatched(error: unknown): void {
    this.watcher = undefined;
    if (this.hasWarned) return;
    this.hasWarned = true;
    process.emitWarning(
      `the SQLite file ${this.options.path} is ${this.options.instead}, since the system does not tell of it: ` +
        `${error instanceof Error ? error.message : String(error)}; on Linux, more watches are allowed by ` +
        "fs.inotify.max_user_watches and fs.inotify.max_user_instances",
      { code: "TASKQ_FILE_WATCH" },
    );
  }
}
