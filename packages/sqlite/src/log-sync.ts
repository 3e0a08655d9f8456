import { close, fdatasync, open } from "node:fs";

/** Pages of the log, about, after which the system is asked to bring them to the disk: 3 MiB. */
const PAGES = 768;
/** What a transaction writes beside its rows, and how many rows stand on a page: about, as only their number is known. */
const PAGES_BESIDE = 2;
const ROWS_ON_A_PAGE = 12;

/**
 * Has the system bring the log to the disk while we go on, so that SQLite does not wait for all of it at once before it
 * copies the log. Nothing rests on it: what it does not do, SQLite does by itself.
 */
export class LogSync {
  private readonly path: string;
  private descriptor: number | undefined;
  private pages = 0;
  private isBusy = false;
  private isStopped = false;

  constructor(path: string) {
    this.path = path;
  }

  /** A transaction has changed so many rows of jobs. */
  wrote(rows: number): void {
    this.pages += PAGES_BESIDE + rows / ROWS_ON_A_PAGE;
    if (this.pages < PAGES || this.isBusy || this.isStopped) return;
    this.pages = 0;
    this.isBusy = true;
    if (this.descriptor === undefined) open(this.path, "r", this.opened);
    else fdatasync(this.descriptor, this.synced);
  }

  stop(): void {
    this.isStopped = true;
    if (!this.isBusy) this.close();
  }

  private readonly opened = (error: Error | null, descriptor: number): void => {
    // Then it stays busy for good.
    if (error !== null) return;
    this.descriptor = descriptor;
    fdatasync(descriptor, this.synced);
  };

  private readonly synced = (): void => {
    this.isBusy = false;
    if (this.isStopped) this.close();
  };

  /** SQLite locks nothing of this file: closing it lets go of no lock, as it would with the database's. */
  private close(): void {
    if (this.descriptor !== undefined) close(this.descriptor, () => {});
    this.descriptor = undefined;
  }
}
