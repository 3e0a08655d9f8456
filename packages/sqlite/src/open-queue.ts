import type { StoredRetention, WatchHint } from "@taskq/core/storage";
import type { CappedLook } from "./over-caps.js";
import { PendingStats } from "./pending-stats.js";

/** A task's pause or revocation. The queue's own pause stands under the name `""`. */
export interface TaskControl {
  readonly paused: boolean;
  readonly revoked: boolean;
  readonly once: boolean;
  readonly until: number | undefined;
}

export interface RevokedRun {
  readonly owner: number;
  readonly fence: number;
  readonly id: string;
}

/** What seldom changes; read again whenever the queue's version differs. */
export interface SeldomState {
  readonly version: number;
  readonly phase: number;
  readonly controls: ReadonlyMap<string, TaskControl>;
  /** Gates `task:` and `pause:` that have jobs parked under them. */
  readonly parking: readonly string[];
  readonly revoked: readonly RevokedRun[];
  /** Keys of failed joins whose members are not all written down. */
  readonly doomed: readonly string[];
  /** The instant until which the feed is written; `undefined`: nobody follows. */
  readonly followed: number | undefined;
}

/** A claimed batch of this process: its row, and how many of its runs have not ended. */
export interface HeldLease {
  readonly row: number;
  left: number;
  /** Whether nothing hung on any of its rows when it was claimed. */
  readonly isBare: boolean;
}

/** A lease that was found to be over, as it was then, and when, by the clock of this process. */
export interface Sighting {
  readonly fence: number;
  readonly until: number;
  readonly since: number;
}

/** Completed jobs, and others. */
export interface Passed {
  readonly completed: number;
  readonly others: number;
}

export const NOTHING_PASSED: Passed = { completed: 0, others: 0 };

/** What a process keeps of a queue in memory; nothing here is needed after a crash. */
export class OpenQueue {
  readonly id: number;
  readonly name: string;
  retention: StoredRetention;
  seldom: SeldomState | undefined;
  readonly leases: Map<number, HeldLease> = new Map();
  /** The last claiming request of each owner. */
  readonly requests: Map<string, { readonly request: number; readonly fence: number }> = new Map();
  readonly watchers: Set<(hint: WatchHint) => void> = new Set();
  readonly stats: PendingStats = new PendingStats();
  /** The shortest time for which a job of this process is kept, where that is its own. */
  shortest: number = Infinity;
  /** Whether the last claim of many was so large that the next one reads no more than fits into memory. */
  claimsLarge = false;
  /** Whether the last claim found fewer than are read together. */
  foundFew = false;
  /** How many rows ahead the next claim looks at. */
  reach: number = Infinity;
  /** Where the next bounded purge goes on, and when one is due. */
  purgeFrom: string = "-1";
  purgeAt = 0;
  /** How many it has passed since the first row that something unfinished needs, of those that are more than the queue keeps. */
  purgePassed: Passed = NOTHING_PASSED;
  /** Where the looks at tasks go on that have more final jobs than they keep. */
  cappedLooks: Map<string, CappedLook> = new Map();
  /** Whether the walk that is due, or goes on, looks for runs without a lease; and as of when one did last. */
  searchesOrphans = true;
  searchedAt = 0;
  /** When old rows of the feed were last looked for. */
  feedPrunedAt = 0;
  /** As of when runs were last looked for whose lease is over; an earlier instant: the clock has been set back. */
  reapedAt: number = Infinity;
  /** Leases that this process has found to be over, by their row. */
  readonly sightings: Map<number, Sighting> = new Map();
  private tasksGiven: readonly string[] | undefined;
  private tasksKnown: ReadonlySet<string> = new Set();

  constructor(id: number, name: string, retention: StoredRetention) {
    this.id = id;
    this.name = name;
    this.retention = retention;
  }

  /** Some of what this process has written was taken back: what it knows of the tables for that is read again. */
  forgetWritten(): void {
    this.seldom = undefined;
    this.shortest = Infinity;
  }

  /** As a set; the array is compared by identity first. */
  knownTasks(tasks: readonly string[]): ReadonlySet<string> {
    if (tasks !== this.tasksGiven) {
      this.tasksGiven = tasks;
      this.tasksKnown = new Set(tasks);
    }
    return this.tasksKnown;
  }

  tell(hint: WatchHint): void {
    for (const watcher of this.watchers) {
      try {
        watcher(hint);
      } catch (error) {
        // It takes the hint from nobody else, and surfaces as the error of a listener of events does.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
