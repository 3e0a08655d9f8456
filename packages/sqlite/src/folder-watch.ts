import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";

/** Milliseconds after which the system is asked again to tell of writes, if it would not: watches are used up at times. */
const AGAIN = 30_000;

export interface FolderWatchOptions {
  readonly path: string;
  /** The file, or its log, is written. */
  readonly told: () => void;
  /** What is left where the system does not tell, for the warning that says so. */
  readonly instead: string;
}

/** What the system tells of a file of SQLite's and its log, as far as it does. */
export class FolderWatch {
  private readonly options: FolderWatchOptions;
  private readonly names: ReadonlySet<string>;
  private watcher: FSWatcher | undefined;
  private isWanted = false;
  private triedAt = 0;
  private hasWarned = false;

  constructor(options: FolderWatchOptions) {
    this.options = options;
    const name = basename(options.path);
    this.names = new Set([name, `${name}-wal`]);
  }

  get isListening(): boolean {
    return this.watcher !== undefined;
  }

  listen(): void {
    this.isWanted = true;
    this.triedAt = performance.now();
    try {
      const watcher = watch(dirname(this.options.path), { persistent: false }, (_, name) => {
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
