/** Statistics that this process gathers: a field of its own for each task and minute, written anew as the numbers grow. */
import {
  GatheredStats,
  STATS_MINUTE,
  type SettleAnswer,
  type Settlement,
  type HistogramData,
  type StatsRow,
} from "@taskq/core/storage";
import { randomUUID } from "node:crypto";
import { EPOCH } from "./lua/fences.js";

/** Milliseconds between two writes. */
const PAUSE = 1_000;

/** A field as a script writes it: its name, the row, its minute, and the epoch of the runs. */
export type StatsField = readonly [name: string, row: Uint8Array, minute: number, epoch: number];

export class PendingStats {
  #process = randomUUID();
  #gathered = new GatheredStats();
  /** Of the oldest minute that has changed since it was written. */
  #changedSince: number | undefined;
  #writtenAt = -Infinity;
  /** That of the runs that were gathered last. */
  #epoch = 0;
  /** When something was gathered last, by the clock of the calls. */
  lastAt: number | undefined;

  /** What was applied of the settlements. */
  record(settlements: readonly Settlement[], answers: readonly SettleAnswer[], now: number): void {
    let isAny = false;
    for (let place = 0; place < settlements.length; place += 1) {
      const settlement = settlements[place];
      if (answers[place] !== "applied" || settlement?.claimed === undefined) continue;
      const epoch = Math.floor(settlement.fence / EPOCH);
      // The queue has moved, and come back.
      if (epoch > this.#epoch) this.startAnew();
      this.#epoch = Math.max(this.#epoch, epoch);
      this.#gathered.record(settlement, now);
      isAny = true;
    }
    if (!isAny) return;
    this.lastAt = now;
    const minute = now - (now % STATS_MINUTE);
    this.#changedSince = Math.min(this.#changedSince ?? minute, minute);
  }

  /** Whether `due` would tell of something. */
  isDue(now: number): boolean {
    return this.#changedSince !== undefined && Math.abs(now - this.#writtenAt) >= PAUSE;
  }

  /** What is to be written now, if anything. A clock that was set back puts nothing off. */
  due(now: number, last: boolean): readonly StatsField[] | undefined {
    const since = this.#changedSince;
    if (since === undefined || (!last && Math.abs(now - this.#writtenAt) < PAUSE)) return undefined;
    this.#changedSince = undefined;
    this.#writtenAt = now;
    return this.#gathered.rows(since).map((row) => this.#field(row));
  }

  /** What was gathered so far has gone with the queue, and is not written again. */
  startAnew(): void {
    this.#process = randomUUID();
    this.#gathered = new GatheredStats();
    this.#changedSince = undefined;
  }

  /** All that is not written yet. */
  takeAll(): readonly StatsField[] | undefined {
    return this.lastAt === undefined ? undefined : this.due(this.lastAt, true);
  }

  /** It is not known whether what was due has been written. */
  notWritten(fields: readonly StatsField[]): void {
    for (const [, , minute] of fields) {
      this.#changedSince = Math.min(this.#changedSince ?? minute, minute);
    }
  }

  #field(row: StatsRow): StatsField {
    const name = `${row.minute}:${this.#process}:${row.task}`;
    return [name, Buffer.from(JSON.stringify(row)), row.minute, this.#epoch];
  }
}

/** The rows of all processes, added up. */
export function addedUp(fields: readonly Uint8Array[], since: number): readonly StatsRow[] {
  const all = new GatheredStats();
  const rows = fields.flatMap((bytes) => rowOf(bytes) ?? []);
  for (const row of rows.toSorted((left, right) => left.minute - right.minute)) {
    if (row.minute + STATS_MINUTE > since) all.add(row);
  }
  return all.rows(since);
}

/** `undefined`: it is damaged, and all others are told. */
function rowOf(bytes: Uint8Array): StatsRow | undefined {
  try {
    const row: unknown = JSON.parse(Buffer.from(bytes).toString());
    return isRow(row) ? row : undefined;
  } catch {
    return undefined;
  }
}

function isRow(value: unknown): value is StatsRow {
  if (typeof value !== "object" || value === null) return false;
  const { task, minute, completed, failed, retried, wait, run } = value as Partial<
    Record<keyof StatsRow, unknown>
  >;
  return (
    typeof task === "string" &&
    [minute, completed, failed, retried].every((number) => Number.isFinite(number)) &&
    [wait, run].every(isHistogram)
  );
}

function isHistogram(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { max, counts } = value as Partial<Record<keyof HistogramData, unknown>>;
  return typeof max === "number" && Array.isArray(counts);
}
