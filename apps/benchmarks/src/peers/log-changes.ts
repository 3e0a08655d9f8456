import { watch, type FSWatcher } from "node:fs";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import type Database from "better-sqlite3";
import { Told } from "./told.js";

/** Turns of the event loop within which a commit that the system has told of can be seen. */
const LOOKS = 100;

/** What others write to a database, noticed as cheaply as can be: the system tells of the log, SQLite of the commit. */
export class LogChanges {
  readonly #version: () => unknown;
  readonly #watcher: FSWatcher;
  readonly #told = new Told();
  #seen: unknown;

  constructor(database: Database.Database) {
    const version = database.prepare("pragma data_version").pluck();
    this.#version = () => version.get();
    this.#seen = this.#version();
    this.#watcher = watch(dirname(database.name), this.#told.tell);
  }

  /** Resolves once something may have been written since the last time, or it is over. */
  async next(): Promise<void> {
    await this.#told.next();
    for (let looks = 0; looks < LOOKS && this.#version() === this.#seen; looks += 1) await setImmediate();
    this.#seen = this.#version();
  }

  end(): void {
    this.#watcher.close();
    this.#told.tell();
  }
}
