/** What the processes of a race tell each other. */

/** What one process of a race is told, by environment. */
export interface RaceTask {
  /** Address of the module that opens the storage. */
  readonly open: string;
  readonly queue: string;
  readonly owner: string;
  /** How long it enqueues, in milliseconds. */
  readonly duration: number;
}

/** What one process of a race has seen. */
export interface RaceReport {
  readonly owner: string;
  /** Ids whose enqueue was answered. */
  readonly enqueued: readonly string[];
  readonly claims: readonly RaceClaim[];
  /** Settlements that were answered `applied` or, after a lost answer, `repeated`: id and fence. */
  readonly settled: readonly RaceSettlement[];
  /** Instants of the schedule whose flow it enqueued. */
  readonly ticks: readonly number[];
  readonly increments: number;
  /** Calls that were answered with `TASKQ_BUSY` or `TASKQ_UNAVAILABLE`, and made again. */
  readonly repeats: number;
  /** Counts of the queue when it was done: jobs that were not final, and completed ones. */
  readonly unfinished: number;
  readonly completed: number;
  /** The number that all have incremented. */
  readonly total: number;
}

export interface RaceClaim {
  readonly id: string;
  readonly fence: number;
  readonly attempt: number;
}

export interface RaceSettlement {
  readonly id: string;
  readonly fence: number;
  readonly final: boolean;
}

/** The variable of the environment that holds a `RaceTask` as JSON. */
export const RACE_TASK = "TASKQ_RACE_TASK";
