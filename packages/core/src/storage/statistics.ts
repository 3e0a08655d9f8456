/** How many runs ended how, and how long they took, by task and minute. */
import { Histogram, type HistogramData } from "./histogram.js";
import type { Settlement } from "./step.js";

/** The unit of the statistics, in milliseconds. */
export const STATS_MINUTE = 60_000;
/** How long statistics are kept, in milliseconds: 48 hours. */
export const STATS_KEPT: number = 48 * 60 * STATS_MINUTE;

export interface StatsRequest {
  readonly queue: string;
  /** The minute that this instant lies in, and all after it. */
  readonly since: number;
  /** Tell also since when jobs of each task wait; it looks at all that wait. @default false */
  readonly byTask?: boolean | undefined;
  readonly now?: number | undefined;
}

export interface StatsAnswer {
  /** When the job became due that waits longest of those that are due; `undefined`: none waits. */
  readonly oldestDue: number | undefined;
  /** The same of each task of which one waits that is due, by its name. `undefined`: it was not asked for. */
  readonly oldestDueByTask?: Readonly<Record<string, number>> | undefined;
  /** By minute, then by the name of the task. */
  readonly rows: readonly StatsRow[];
}

/** Runs of one task that were settled within one minute. */
export interface StatsRow {
  readonly task: string;
  /** When it began, in epoch milliseconds. */
  readonly minute: number;
  readonly completed: number;
  readonly failed: number;
  readonly retried: number;
  /** From due to begun. */
  readonly wait: HistogramData;
  /** From begun to settled. */
  readonly run: HistogramData;
}

interface Gathered {
  readonly task: string;
  readonly minute: number;
  completed: number;
  failed: number;
  retried: number;
  readonly wait: Histogram;
  readonly run: Histogram;
}

/**
 * Gathers statistics in memory, for authors of storages: record each settlement that was applied, once it is stored.
 * Minutes beyond `STATS_KEPT` are let go as new ones begin.
 *
 * @example
 * const gathered = new GatheredStats();
 * if (answer === "applied") gathered.record(settlement, now);
 */
export class GatheredStats {
  readonly #minutes = new Map<number, Map<string, Gathered>>();
  #last: Gathered | undefined;

  get isEmpty(): boolean {
    return this.#minutes.size === 0;
  }

  /** One run that was settled at that instant. One that does not tell which job it ran is in none of the numbers. */
  record({ claimed, startedAt, outcome }: Settlement, now: number): void {
    if (claimed === undefined) return;
    const { kind } = outcome;
    if (kind !== "completed" && kind !== "failed" && kind !== "retry") return;
    const minute = now - (now % STATS_MINUTE);
    let row = this.#last;
    if (row?.minute !== minute || row.task !== claimed.task) row = this.#rowOf(claimed.task, minute);
    row[kind === "retry" ? "retried" : kind] += 1;
    row.wait.record(startedAt - claimed.due);
    row.run.record(now - startedAt);
  }

  /** All numbers of a row that was gathered elsewhere. */
  add({ task, minute, completed, failed, retried, wait, run }: StatsRow): void {
    const row = this.#rowOf(task, minute);
    row.completed += completed;
    row.failed += failed;
    row.retried += retried;
    row.wait.add(wait);
    row.run.add(run);
  }

  /** By minute, then by the name of the task. */
  rows(since = 0): StatsRow[] {
    const minutes = [...this.#minutes].filter(([minute]) => minute + STATS_MINUTE > since);
    return minutes
      .toSorted(([left], [right]) => left - right)
      .flatMap(([, tasks]) =>
        [...tasks.values()].toSorted((left, right) => (left.task < right.task ? -1 : 1)),
      )
      .map((row) => ({ ...row, wait: row.wait.data(), run: row.run.data() }));
  }

  #rowOf(task: string, minute: number): Gathered {
    let tasks = this.#minutes.get(minute);
    if (tasks === undefined) {
      tasks = new Map();
      this.#minutes.set(minute, tasks);
      for (const known of this.#minutes.keys()) if (known <= minute - STATS_KEPT) this.#minutes.delete(known);
    }
    let row = tasks.get(task);
    if (row === undefined) {
      const numbers = { completed: 0, failed: 0, retried: 0 };
      row = { task, minute, ...numbers, wait: new Histogram(), run: new Histogram() };
      tasks.set(task, row);
    }
    this.#last = row;
    return row;
  }
}
