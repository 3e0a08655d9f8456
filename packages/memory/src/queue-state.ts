/** Everything that is kept of one queue. */
import {
  GatheredStats,
  Hints,
  type JobEffect,
  type QueuePhase,
  type ScheduleRecord,
  type StoredRetention,
  type StoredState,
  type ValueAnswer,
} from "@taskq/core/storage";
import { ExpiringMap } from "./expiring-map.js";
import { Feed } from "./feed.js";
import { FinalJobs } from "./final-jobs.js";
import { newGate, type Gate } from "./gate.js";
import { Heap } from "./heap.js";
import { Listing } from "./listing.js";
import { comesBefore, isDueBefore } from "./order.js";
import { notMoving, type Moving } from "./phase.js";
import type { JobRow, Row } from "./rows.js";
import { StateCounts } from "./state-counts.js";

/** Fences of one epoch. */
const EPOCH = 2 ** 40;

export class QueueState {
  readonly name: string;
  retention: StoredRetention;
  /** Milliseconds after which jobs of unknown tasks are given up. */
  unknownAfter: number;
  readonly hints: Hints = new Hints();
  feed: Feed = new Feed();

  /** Jobs and joins by id. */
  readonly rows: Map<string, Row> = new Map();
  /** Ids that core made, by what is not random in them. */
  readonly madeIds: Map<string, string> = new Map();
  /** Names given by callers whose jobs are gone. */
  readonly tombstones: ExpiringMap<Tombstone> = new ExpiringMap();
  readonly listing: Listing = new Listing();
  /** Where a page ended, by the id it ended with. */
  readonly pageEnds: ExpiringMap<number> = new ExpiringMap();
  readonly counts: StateCounts = new StateCounts();
  stats: GatheredStats = new GatheredStats();

  readonly ready: Heap<JobRow> = new Heap<JobRow>(comesBefore);
  readonly scheduled: Heap<JobRow> = new Heap<JobRow>(isDueBefore);
  readonly active: Set<JobRow> = new Set();
  readonly owners: Map<string, OwnerState> = new Map();

  readonly gates: Map<string, Gate> = new Map();
  /** Lines of unknown and of paused tasks. */
  readonly taskLines: Set<Gate> = new Set();
  /** Gates with a line that may open by themselves. */
  readonly opening: Heap<Gate> = new Heap((left, right) => left.opensAt < right.opensAt);
  readonly uniques: Map<string, UniqueKey> = new Map();
  /** As of when runs were last looked for whose lease is over; an earlier instant: the clock has been set back. */
  reapedAt: number = Infinity;

  /** Starts under limits, by key. */
  readonly starts: ExpiringMap<StartLog> = new ExpiringMap();
  /** Operations that have taken a start. */
  readonly taken: ExpiringMap<true> = new ExpiringMap();

  paused = false;
  readonly pausedTasks: Set<string> = new Set();
  readonly revokedTasks: Map<string, TaskRevocation> = new Map();
  readonly schedules: Map<string, Schedule> = new Map();
  /** Flows that wait for the one before of their schedule, by the end of that one. */
  readonly awaitedEnds: Map<string, AwaitingFlow> = new Map();

  readonly values: ExpiringMap<StoredValue> = new ExpiringMap();
  /** Answers to named operations on values. */
  readonly answered: ExpiringMap<readonly ValueAnswer[]> = new ExpiringMap();

  /** Final rows by the instant their retention passes. */
  readonly retained: Heap<Row> = new Heap((left, right) => left.keepUntil < right.keepUntil);
  /** Rows whose retention has passed, but something unfinished depends on them. */
  readonly withheld: Set<Row> = new Set();
  readonly completedJobs: FinalJobs = new FinalJobs();
  readonly otherFinalJobs: FinalJobs = new FinalJobs();
  /** The same of each task that keeps no more than so many. */
  readonly caps: Map<string, Cap> = new Map();

  /** Counts the moves of the queue from one storage to another. */
  epoch = 0;
  phase: QueuePhase = "open";
  moving: Moving = notMoving();

  #fence = 0;
  #order = 0;

  constructor(name: string, retention: StoredRetention, unknownAfter: number) {
    this.name = name;
    this.retention = retention;
    this.unknownAfter = unknownAfter;
  }

  /** Greater than every one before. */
  nextFence(): number {
    return this.epoch * EPOCH + ++this.#fence;
  }

  /** Of enqueuing and of parking; greater than every one before. */
  nextOrder(): number {
    return ++this.#order;
  }

  jobOf(id: string): JobRow | undefined {
    const row = this.rows.get(id);
    return row?.kind === "job" ? row : undefined;
  }

  gateOf(name: string): Gate {
    let gate = this.gates.get(name);
    if (gate === undefined) this.gates.set(name, (gate = newGate(name)));
    return gate;
  }
}

/** One call that changes a queue: carried out without interruption. */
export interface Move {
  readonly queue: QueueState;
  readonly now: number;
  readonly effects: JobEffect[];
}

export interface Tombstone {
  readonly task: string;
  readonly state: StoredState;
}

export interface OwnerState {
  readonly runs: Set<JobRow>;
  /** Runs of it that a user has revoked. */
  readonly revoked: Set<JobRow>;
  /** Its last request that claimed, to be answered again. */
  lastRequest: number;
  lastClaim: readonly { readonly row: JobRow; readonly fence: number }[];
}

export interface UniqueKey {
  holder: JobRow;
  /** The job that took the place behind an active holder. */
  replacement: JobRow | undefined;
}

/** Under a limit. */
export interface Start {
  readonly time: number;
  /** The id of a job, or the name of an operation. */
  readonly holder: string;
  /** Of the run; 0 of an operation. */
  readonly fence: number;
}

/** What is remembered of one limit. */
export interface StartLog {
  /** In the order of time. */
  readonly starts: Start[];
  /** The longest window that anybody has asked for: starts are kept for so long. */
  span: number;
}

/** Final jobs of one task. */
export interface Cap {
  readonly jobs: FinalJobs;
  /** As the last of them says. */
  max: number;
}

export interface TaskRevocation {
  readonly once: boolean;
  readonly until: number | undefined;
}

/** A flow of a schedule that waits for the one before. */
export interface AwaitingFlow {
  readonly schedule: string;
  readonly jobs: readonly JobRow[];
}

export interface Schedule {
  record: ScheduleRecord;
}

export type StoredValue =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "number"; readonly number: number };
