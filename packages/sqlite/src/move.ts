import { CONSEQUENCES_PER_STEP, type JobEffect } from "@taskq/core/storage";
import type { DriverStatement } from "./driver.js";
import type { LeaseKey } from "./lease.js";
import type { OpenQueue, SeldomState } from "./open-queue.js";
import { COMPLETED, idOf, isFinalState, JOIN, type Row } from "./row.js";
import { readSeldom } from "./seldom.js";
import type { TransactionScope } from "./transaction-scope.js";
import { addCompleted, nextFence } from "./turn.js";

/** How many runs of one claim have ended. */
interface EndedRuns {
  readonly fence: number;
  count: number;
}

/** One call's part of a transaction: what it did so far, and what follows from it and is still to be done. */
export class Move {
  readonly scope: TransactionScope;
  readonly queue: OpenQueue;
  readonly now: number;
  readonly effects: JobEffect[] = [];
  /** Rows that became final and whose edges are to be followed. */
  readonly finished: Row[] = [];
  /** Keys of jobs that became final, for the feed. */
  readonly ended: LeaseKey[] = [];
  /** Gates that may let somebody go. */
  readonly opened: Set<string> = new Set();
  /** Unique keys that are free. */
  readonly freed: Set<string> = new Set();
  /** Runs that ended, by fence. */
  readonly endedRuns: Map<number, EndedRuns> = new Map();
  /** Rows that may still be written down of those that count as skipped already. */
  consequencesLeft: number = CONSEQUENCES_PER_STEP;
  /** More is over than one move may forget. */
  hasMoreDue = false;
  /** A join has failed, before which something waits. */
  hasDoomed = false;
  /** A job of a task has become final that keeps no more than so many. */
  hasCapped = false;
  private readonly counters: number[] = [0, 0, 0, 0, 0, 0];
  private lastEnded: EndedRuns | undefined;
  private counted = false;
  private seldomChanged = false;
  private seldomSeen = false;

  constructor(scope: TransactionScope, queue: OpenQueue, now: number) {
    this.scope = scope;
    this.queue = queue;
    this.now = now;
  }

  sql(text: string): DriverStatement {
    return this.scope.connection.sql(text);
  }

  raw(text: string): DriverStatement {
    return this.scope.connection.raw(text);
  }

  /** What seldom changes; `version`, where the caller has just read it, saves a look. */
  seldom(version?: number): SeldomState {
    this.seldomSeen = true;
    const known = this.queue.seldom;
    const current = version ?? this.version();
    if (known !== undefined && known.version === current) return known;
    return readSeldom(this.scope.connection, this.queue, current);
  }

  /** The same, without a look if this move has looked before: nobody else writes meanwhile. */
  seldomNow(): SeldomState {
    return (this.seldomSeen ? this.queue.seldom : undefined) ?? this.seldom();
  }

  /** Everybody reads anew what seldom changes. */
  changeSeldom(): void {
    if (this.seldomChanged) this.queue.seldom = undefined;
    else {
      this.seldomChanged = true;
      this.sql("UPDATE {queues} SET version = version + 1 WHERE id = ?").run(this.queue.id);
      this.queue.seldom = undefined;
    }
    this.scope.onRollback(() => {
      this.queue.seldom = undefined;
    });
  }

  private version(): number {
    const row = this.raw("SELECT version FROM {queues} WHERE id = ?").get(this.queue.id);
    return (row as [number])[0];
  }

  /** Adds to the counter of a final state. */
  count(state: number, by = 1): void {
    const counter = this.counters[state - COMPLETED];
    // Somebody has written a state into a row that there is not.
    if (counter === undefined) return;
    this.counters[state - COMPLETED] = counter + by;
    this.counted = true;
  }

  /** How many were completed since the last flush, for a caller that writes the counter itself. */
  takeCompleted(): number {
    const completed = this.counters[0] ?? 0;
    this.counters[0] = 0;
    return completed;
  }

  /** Writes the counters. */
  flushCounters(): void {
    if (!this.counted) return;
    const [completed = 0, ...others] = this.counters;
    if (completed !== 0) addCompleted(this.scope.connection, this.queue, completed);
    if (others.some((counter) => counter !== 0)) {
      this.sql(
        "UPDATE {queues} SET failed = failed + ?, cancelled = cancelled + ?, expired = expired + ?, " +
          "skipped = skipped + ?, quarantined = quarantined + ? WHERE id = ?",
      ).run(...others, this.queue.id);
    }
    this.counters.fill(0);
    this.counted = false;
  }

  /** The next fence of the queue. */
  nextFence(): number {
    const [epoch] = this.raw("SELECT epoch FROM {queues} WHERE id = ?").get(this.queue.id) as [number];
    return nextFence(this.scope.connection, this.queue, epoch, 0);
  }

  /** Something opens at that instant: a step looks at the gates then. */
  wakeAt(instant: number): void {
    this.sql("UPDATE {queues} SET wake = ? WHERE id = ? AND (wake IS NULL OR wake > ?)").run(
      instant,
      this.queue.id,
      instant,
    );
  }

  becameReady(): void {
    this.scope.hintsOf(this.queue).ready = true;
  }

  becameFinal(id: string): void {
    this.scope.hintsOf(this.queue).final.push(id);
  }

  effect(
    row: Row,
    kind: JobEffect["kind"],
    why: {
      readonly reason?: string | null;
      readonly cause?: string | null;
      readonly gate?: string | null;
    } = {},
  ): void {
    if ((row.flags & JOIN) !== 0) return;
    this.effects.push({
      id: idOf(row),
      task: row.task,
      kind,
      reason: why.reason ?? undefined,
      cause: why.cause ?? undefined,
      gate: why.gate ?? undefined,
      attempt: row.attempt,
    });
  }

  /** A run under this fence is over. */
  runEnded(fence: number, count = 1): void {
    // Mostly of the same claim as the one before.
    if (this.lastEnded?.fence !== fence) this.lastEnded = this.endedOf(fence);
    this.lastEnded.count += count;
  }

  private endedOf(fence: number): EndedRuns {
    const known = this.endedRuns.get(fence);
    if (known !== undefined) return known;
    const made = { fence, count: 0 };
    this.endedRuns.set(fence, made);
    return made;
  }

  /** Whether the row has become final in the meantime. */
  isOver(row: Row): boolean {
    return isFinalState(row.state);
  }
}
