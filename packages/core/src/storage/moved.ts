/** Records that go from one storage to another. */
import type { FinalEvent } from "./feed.js";
import type { EdgeCondition, NewGate, NewKeep, NewUnique, StoredState } from "./flow.js";
import type { ScheduleRecord } from "./operation.js";
import type { AttemptRecord, NoteRecord } from "./record.js";
import type { StatsRow } from "./statistics.js";

/**
 * What a queue keeps, by kind. Of jobs `job <state>`, where what waits for its turn in any way (scheduled, ready,
 * parked) is `waiting`: how it waits is found out anew.
 */
export type MoveCounts = Readonly<Record<string, number>>;

/** Rows first, then what refers to them. No record depends on how a storage keeps it. */
export type MovedRecord =
  | MovedJob
  | MovedJoin
  | MovedEdge
  | MovedAttempt
  | MovedNote
  | MovedName
  | MovedUnique
  | MovedHold
  | MovedSchedule
  | MovedControl
  | MovedValue
  | MovedStart
  | MovedStats
  | MovedFeed
  | MovedEvent;

export interface MovedJob {
  readonly kind: "job";
  readonly id: string;
  readonly named: boolean;
  /**
   * Of a row that has no generated id: where it stands among those that have one, where known. The last 21 bits are as in
   * such an id, those above the milliseconds since `enqueuedAt`, mostly none or a negative few.
   */
  readonly place: number | undefined;
  readonly task: string;
  /** `parked` only with a `line`: behind other gates it takes its place anew. */
  readonly state: Exclude<StoredState, "active">;
  readonly body: Uint8Array;
  readonly priority: number;
  readonly due: number;
  readonly enqueuedAt: number;
  readonly expiresAt: number | undefined;
  readonly delivery: "at-least-once" | "at-most-once";
  /** Sources of its edges as enqueued. */
  readonly after: readonly string[] | undefined;
  readonly gates: readonly NewGate[] | undefined;
  readonly unique: Pick<NewUnique, "key" | "until"> | undefined;
  readonly keep: NewKeep | undefined;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  /** Of the last run. */
  readonly fence: number;
  /** Of the last settlement that was accepted; 0: none. */
  readonly settled: number;
  /** A run of it was reaped. */
  readonly reaped: boolean;
  readonly owner: string | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** Result or error. */
  readonly bytes: Uint8Array | undefined;
  readonly reason: string | undefined;
  readonly cause: string | undefined;
  /** Where it is parked: `unique:…`, in the order of `place`, a whole number below 2^40; or `schedule:…`. */
  readonly line: { readonly gate: string; readonly place: number } | undefined;
}

export interface MovedJoin {
  readonly kind: "join";
  readonly id: string;
  /** @default false */
  readonly named?: boolean | undefined;
  readonly place: number | undefined;
  readonly mode: "all" | "settled";
  readonly state: StoredState;
  readonly enqueuedAt: number;
  readonly finishedAt: number | undefined;
  readonly reason: string | undefined;
  readonly cause: string | undefined;
}

/** `member` and `added` lead to a join, `turn` to a job that waits for the flow before in the line of a schedule. */
export interface MovedEdge {
  readonly kind: "edge";
  readonly source: string;
  readonly target: string;
  /** Among those of the target; -1 of `turn`. */
  readonly position: number;
  readonly on: EdgeCondition | "member" | "added" | "turn";
  /** Of `added`: the member whose run added it, where known. */
  readonly member: string | undefined;
}

export interface MovedAttempt extends AttemptRecord {
  readonly kind: "attempt";
  readonly id: string;
}

export interface MovedNote {
  readonly kind: "note";
  readonly id: string;
  /** 0: the progress; the lines of the log from 1 on. */
  readonly position: number;
  readonly note: NoteRecord;
}

/** A name of a job that is gone. */
export interface MovedName {
  readonly kind: "name";
  readonly id: string;
  readonly task: string;
  readonly state: StoredState;
  readonly until: number;
}

export interface MovedUnique {
  readonly kind: "unique";
  readonly key: string;
  readonly holder: string;
  /** Of a holder that is gone. */
  readonly state: StoredState | undefined;
  readonly until: number | undefined;
  /** The job that took the place behind an active holder. */
  readonly waiting: string | undefined;
}

/** A lock held outside of jobs: its owner cannot follow, but nobody else gets it before it runs out. */
export interface MovedHold {
  readonly kind: "hold";
  /** `lock:…` */
  readonly gate: string;
  readonly ticket: string;
  readonly owner: string;
  readonly fence: number;
  readonly expiresAt: number;
}

export interface MovedSchedule extends ScheduleRecord {
  readonly kind: "schedule";
}

export interface MovedControl {
  readonly kind: "control";
  /** `undefined`: the queue's own pause. */
  readonly task: string | undefined;
  readonly paused: boolean;
  readonly revoked: boolean;
  readonly once: boolean;
  readonly until: number | undefined;
}

export interface MovedValue {
  readonly kind: "value";
  readonly key: string;
  readonly value: Uint8Array | number;
  readonly expiresAt: number | undefined;
}

/** A start under a limit: windows reach over a move. Whoever started has ended, or is no job. */
export interface MovedStart {
  readonly kind: "start";
  /** Of the limit. */
  readonly key: string;
  readonly time: number;
  /** Tells starts of one instant and fence apart, and is nothing else. */
  readonly holder: string;
  /** Of the run; 0: taken outside of jobs. */
  readonly fence: number;
  /** When it is out of the longest window that was asked for. */
  readonly until: number;
}

/** Adds to what the target has counted of that minute by itself. */
export interface MovedStats extends StatsRow {
  readonly kind: "stats";
}

/** The feed of a queue that somebody follows; its events come behind it. */
export interface MovedFeed {
  readonly kind: "feed";
  readonly tag: string;
  /** The number of the last event, and of the last one that was let go. */
  readonly last: number;
  readonly gone: number;
  /** Until when it is written, should nobody read it. */
  readonly until: number;
}

export interface MovedEvent extends FinalEvent {
  readonly kind: "event";
  readonly number: number;
}

/** Records of a page, at most. */
export const MOVED_AT_ONCE = 200;
/** Bytes of a page, about. */
export const MOVED_BYTES = 1_048_576;
/** A number of a histogram as text, about. */
const BYTES_PER_COUNT = 4;

/** How many of these records make up a page: one at least. */
export function pageLength(records: readonly MovedRecord[], limit: number): number {
  const most = Math.max(1, Math.min(limit, MOVED_AT_ONCE, records.length));
  let bytes = 0;
  for (let index = 0; index < most; index += 1) {
    bytes += sizeOf(records[index]);
    if (bytes > MOVED_BYTES) return Math.max(1, index);
  }
  return Math.min(most, records.length);
}

function sizeOf(record: MovedRecord | undefined): number {
  switch (record?.kind) {
    case "job":
      return record.body.byteLength + (record.bytes?.byteLength ?? 0);
    case "attempt":
    case "event":
      return record.error?.byteLength ?? 0;
    case "note":
      return record.note.bytes.byteLength;
    case "value":
      return typeof record.value === "number" ? 0 : record.value.byteLength;
    case "schedule":
      return record.bytes.byteLength;
    case "stats":
      return BYTES_PER_COUNT * (record.wait.counts.length + record.run.counts.length);
    default:
      return 0;
  }
}

/** Greater ones would leave no room for those that come behind them. */
const PLACES_IN_LINE = 2 ** 40;

/** Whether a job can stand there in a line. */
export function isPlaceInLine(place: unknown): boolean {
  return Number.isSafeInteger(place) && (place as number) >= 0 && (place as number) < PLACES_IN_LINE;
}

/** The name of a job's state among the counts of a move. */
export function countedAs(state: StoredState): string {
  const waits = state === "scheduled" || state === "ready" || state === "parked";
  return `job ${waits ? "waiting" : state}`;
}
