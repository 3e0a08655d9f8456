import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";

/** Milliseconds after which the system is asked again to tell of writes, if it would not: watches are used up at times. */
const AGAIN = 30_000;
/**
 * Where a folder that is watched tells of each write to a file in it. Elsewhere only the file itself does: macOS tells of
 * a file in a folder not before it is closed (FSEvents), and other systems with kqueue of none.
 */
const SYSTEMS_THAT_TELL_OF_FOLDERS: ReadonlySet<NodeJS.Platform> = new Set(["linux", "android", "win32"]);

export interface LogWatchOptions {
  readonly path: string;
  /** The file, or its log, is written. */
  readonly told: () => void;
  /** What is left where the system does not tell, for the warning that says so. */
  readonly instead: string;
}

/** What the system tells of a file of SQLite's and its log, as far as it does. */
export class LogWatch {
  private readonly options: LogWatchOptions;
  private readonly names: ReadonlySet<string>;
  private readonly watched: string;
  private watcher: FSWatcher | undefined;
  private isWanted = false;
  private triedAt = 0;
  private hasWarned = false;

  constructor(options: LogWatchOptions) {
    this.options = options;
    const { path } = options;
    const log = `${path}-wal`;
    this.names = new Set([basename(path), basename(log)]);
    // SQLite locks nothing of the log: a descriptor of it that is closed lets go of no lock. And it stays as long as we have it open.
    this.watched = SYSTEMS_THAT_TELL_OF_FOLDERS.has(process.platform) ? dirname(path) : log;
  }

  get isListening(): boolean {
    return this.watcher !== undefined;
  }

  listen(): void {
    this.isWanted = true;
    this.triedAt = performance.now();
    try {
      const watcher = watch(this.watched, { persistent: false }, (_, name) => {
        if (name === null || this.names.has(name)) this.options.told();
      });
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
