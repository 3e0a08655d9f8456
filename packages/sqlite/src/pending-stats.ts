import { GatheredStats, type SettleAnswer, type Settlement } from "@taskq/core/storage";

/** Milliseconds between two flushes. */
const PAUSE = 1_000;

/** Statistics that this process has gathered of a queue and not written yet. */
export class PendingStats {
  /** Of settlements that are committed. */
  gathered: GatheredStats = new GatheredStats();
  /** When something was gathered last, by the clock of the calls. */
  lastAt = 0;
  /** Part of a transaction that is not committed. */
  private taken: GatheredStats | undefined;
  private flushedAt = -Infinity;

  /** Whether there is something that has not been written for a while, or has to be now. */
  isDue(now: number, last: boolean): boolean {
    return !this.gathered.isEmpty && this.mayFlush(now, last);
  }

  /** A clock that was set back puts nothing off. */
  mayFlush(now: number, last: boolean): boolean {
    return this.taken === undefined && (last || Math.abs(now - this.flushedAt) >= PAUSE);
  }

  /** What was applied of the settlements, once it is committed. */
  record(settlements: readonly Settlement[], answers: readonly SettleAnswer[], now: number): void {
    this.lastAt = now;
    recordApplied(this.gathered, settlements, answers, now);
  }

  /** All that is gathered, to be written in a transaction. */
  take(): GatheredStats {
    const { gathered } = this;
    this.taken = gathered;
    this.gathered = new GatheredStats();
    return gathered;
  }

  written(now: number): void {
    this.taken = undefined;
    this.flushedAt = now;
  }

  notWritten(): void {
    for (const row of this.taken?.rows() ?? []) this.gathered.add(row);
    this.taken = undefined;
  }
}

/** Gathers the settlements that were answered with `applied`. */
export function recordApplied(
  into: GatheredStats,
  settlements: readonly Settlement[],
  answers: readonly SettleAnswer[],
  now: number,
): void {
  for (let at = 0; at < settlements.length; at += 1) {
    const settlement = settlements[at];
    if (settlement !== undefined && answers[at] === "applied") into.record(settlement, now);
  }
}
