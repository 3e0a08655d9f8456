import type { JobError } from "../errors.js";
import type { JobHeaders } from "./enqueue-options.js";
import type { TaskReference } from "./task-reference.js";

/** What a job yielded: one member for each final state. */
export type Outcome<Output = unknown> =
  | { readonly state: "completed"; readonly value: Output }
  | { readonly state: "failed"; readonly error: JobError }
  | { readonly state: "quarantined"; readonly error: JobError }
  | { readonly state: "cancelled"; readonly reason: string }
  | { readonly state: "expired"; readonly reason: string }
  | {
      readonly state: "skipped";
      readonly reason: string;
      /** The job because of which. */
      readonly cause: string | undefined;
    };

/**
 * Where a job stands. Waiting: `blocked` (by a stage before it), `scheduled` (not due), `ready`,
 * `parked` (for a lock, a limit, a slot). Running: `active`. The others are final.
 */
export type JobState =
  | "blocked"
  | "scheduled"
  | "ready"
  | "parked"
  | "active"
  | "completed"
  | "failed"
  | "cancelled"
  | "expired"
  | "skipped"
  | "quarantined";

/** How many jobs are in each state. */
export type Counts = Readonly<Record<JobState, number>>;

/** Which jobs to list. */
export interface JobFilter {
  /** @default all */
  readonly state?: JobState | readonly JobState[];
  /** @default all */
  readonly task?: TaskReference;
  /** @default all */
  readonly limit?: number;
  /** Go on after the job of this id, also once it is gone, unless its id was given to it. */
  readonly after?: string;
}

/** One job's whole story, as stored at one instant. */
export interface JobInfo {
  readonly id: string;
  /** The name of its task. */
  readonly task: string;
  readonly state: JobState;
  readonly input: unknown;
  readonly headers: JobHeaders;
  readonly priority: number;
  readonly version: number;
  /** Runs begun. */
  readonly attempt: number;
  /** Failed runs after which it was to run again: at most its `retries`. The run that failed it for good is not among them. */
  readonly failures: number;
  /** Leases lost in mid-run. */
  readonly crashes: number;
  readonly attempts: readonly AttemptInfo[];
  /** What the handler last gave to `context.progress`. */
  readonly progress: unknown;
  /** `undefined`: not final. */
  readonly outcome: Outcome | undefined;
  /** The ids of the jobs it waits for. */
  readonly before: readonly string[];
  /** The ids of the jobs that wait for it. */
  readonly after: readonly string[];
  readonly enqueuedAt: Date;
  readonly scheduledAt: Date;
  readonly expiresAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  /** Of a job in state `quarantined`: why, and what is stored of it. */
  readonly quarantine: Quarantine | undefined;
  /** What of the above cannot be read, since it was damaged or forged, say; empty for a sound job. */
  readonly unreadable: readonly UnreadablePart[];
}

/** Why a job is quarantined, and the bytes it consists of. */
export interface Quarantine {
  /** A sentence for people; nothing of what the job holds is in it. */
  readonly reason: string;
  /** Such as `TASKQ_INPUT`, `TASKQ_TOO_LARGE`, `TASKQ_SIGNATURE`, `TASKQ_UNKNOWN_TASK`. */
  readonly code: string | undefined;
  readonly since: Date | undefined;
  /** As stored: what the serializer was given. */
  readonly bytes: Uint8Array;
}

/** A part of a job that the queue's serializer refuses, or that is not as it is written. */
export interface UnreadablePart {
  /**
   * `message`: its input, headers and options, which are told as if there were none; `result`: its outcome is told with
   * the value `undefined`; `error`: its outcome says why the error cannot be read; `progress`: told as `undefined`.
   */
  readonly part: "message" | "result" | "error" | "progress";
  /** As of an error. */
  readonly code: string | undefined;
  readonly reason: string;
}

/** One run of a job. */
export interface AttemptInfo {
  /** 1 for the first. */
  readonly attempt: number;
  readonly fence: number;
  /** The consumer that ran it. */
  readonly owner: string;
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  /** `undefined`: it has not failed. */
  readonly error: JobError | undefined;
}

/** What a handler wrote to `context.log`. */
export interface LogEntry {
  readonly time: Date;
  readonly attempt: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a queue did within a window of time. */
export interface Stats {
  /** The beginning of the window, which is that of a minute. */
  readonly since: Date;
  /**
   * How long the job that waits longest has been due, in milliseconds, be it ready or parked. `undefined`: none that is
   * due waits.
   */
  readonly oldestWaitingMs: number | undefined;
  readonly total: TaskStats;
  /** By the name of the task. */
  readonly tasks: Readonly<Record<string, TaskStats>>;
  /** Of all tasks, minute by minute; those in which no run ended are left out. */
  readonly minutes: readonly MinuteStats[];
}

/** How many runs ended so, and how long they took. */
export interface TaskStats {
  /** Runs whose handler returned. */
  readonly completed: number;
  /** Runs that ended their job `failed`. */
  readonly failed: number;
  /** Runs that failed, or asked for it, and whose job is tried again. */
  readonly retried: number;
  /** From due to begun, in milliseconds. */
  readonly waitMs: Percentiles;
  /** From begun to ended, in milliseconds. */
  readonly runMs: Percentiles;
}

/** The same, told by task also of what waits. */
export interface StatsByTask extends Stats {
  /** Tasks of which one waits that is due are among them, also when none of them ran. */
  readonly tasks: Readonly<Record<string, TaskBacklog>>;
}

/** One task of a queue. */
export interface TaskBacklog extends TaskStats {
  /** As of the queue. */
  readonly oldestWaitingMs: number | undefined;
}

/** One minute of a queue. */
export interface MinuteStats extends TaskStats {
  /** When it began. */
  readonly at: Date;
}

/**
 * Of the values measured, so many per cent are no greater. Exact below 64; above, too high by less than a 32nd (3.2 %),
 * and never too low. `max` is exact. 0 where nothing was measured.
 */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Why a job is not running, or ran late, twice or not at all. */
export interface Explanation {
  readonly id: string;
  readonly state: JobState | "unknown";
  /** The weightiest first. */
  readonly causes: readonly {
    /** Stable, such as `paused`, `not-due`, `locked`, `limited`, `no-consumer`. */
    readonly code: string;
    /** A sentence for people. */
    readonly message: string;
    /** The stored facts that it rests on. */
    readonly evidence: Readonly<Record<string, unknown>>;
  }[];
}
