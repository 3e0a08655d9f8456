/** What reading answers. */
import type { StoredState } from "./flow.js";

export interface ReadRequest {
  readonly queue: string;
  readonly ids: readonly string[];
  /** Bodies, attempts, edges and the last progress too; without it, what an outcome needs. @default false */
  readonly whole?: boolean | undefined;
  readonly now?: number | undefined;
}

export type StoredRecord = JobRecord | JoinRecord;

export interface JobRecord {
  readonly kind: "job";
  readonly id: string;
  readonly task: string;
  readonly state: StoredState;
  readonly priority: number;
  readonly enqueuedAt: number;
  readonly due: number;
  readonly expiresAt: number | undefined;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  /** Of the last run; 0 before the first. */
  readonly fence: number;
  readonly owner: string | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** The result of a completed job, the error of a failed or quarantined one. A storage's own failures have none. */
  readonly bytes: Uint8Array | undefined;
  /** Why it is cancelled, skipped or expired, or failed without an error of a handler: a code such as `crashed`. */
  readonly reason: string | undefined;
  /** The job because of which it was skipped. */
  readonly cause: string | undefined;
  /** The gate it is parked under. */
  readonly gate: string | undefined;
  readonly detail: JobDetail | undefined;
}

/** With `whole`. */
export interface JobDetail {
  readonly body: Uint8Array;
  readonly attempts: readonly AttemptRecord[];
  readonly progress: NoteRecord | undefined;
  /** Ids of the jobs and joins it waits for, and of those that wait for it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** A run that ended otherwise than by completing the job. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly fence: number;
  readonly owner: string;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly error: Uint8Array | undefined;
}

export interface NoteRecord {
  readonly kind: "progress" | "log";
  readonly time: number;
  readonly attempt: number;
  readonly fence: number;
  readonly bytes: Uint8Array;
}

export interface JoinRecord {
  readonly kind: "join";
  readonly id: string;
  readonly mode: "all" | "settled";
  readonly state: StoredState;
  readonly members: readonly string[];
  readonly reason: string | undefined;
  readonly cause: string | undefined;
  readonly enqueuedAt: number;
  readonly finishedAt: number | undefined;
}

export interface ListRequest {
  readonly queue: string;
  /** @default all */
  readonly states?: readonly StoredState[] | undefined;
  readonly task?: string | undefined;
  /** Go on after this id, in the order of enqueue; what a page answered, or a job's. */
  readonly after?: string | undefined;
  /** At most 1,000. */
  readonly limit: number;
  readonly now?: number | undefined;
}

export interface ListAnswer {
  /** Jobs in the order of enqueue, whole; joins are not listed. */
  readonly records: readonly JobRecord[];
  /** Where to go on; `undefined` at the end. */
  readonly after: string | undefined;
}

/** Facts, not sentences: core words them. */
export interface ExplainFact {
  readonly id: string;
  readonly state: StoredState | "unknown";
  readonly task: string | undefined;
  readonly causes: readonly ExplainCause[];
}

export type ExplainCause =
  | { readonly code: "not-due"; readonly at: number }
  | { readonly code: "blocked"; readonly by: readonly string[] }
  | {
      readonly code: "locked" | "limited" | "no-slot";
      readonly gate: string;
      readonly holders: readonly string[];
      readonly ahead: number;
      readonly opensAt: number | undefined;
    }
  | { readonly code: "paused" | "revoked" | "no-consumer"; readonly task: string | undefined }
  | { readonly code: "waiting"; readonly ahead: number }
  | {
      readonly code: "running";
      readonly owner: string;
      readonly since: number;
      readonly leaseUntil: number | undefined;
    }
  | { readonly code: "retrying"; readonly failures: number; readonly at: number }
  | { readonly code: "crashed"; readonly crashes: number }
  /** It is not final yet, and will end `expired` when its turn comes. */
  | { readonly code: "expired"; readonly at: number }
  | {
      readonly code: "final";
      readonly reason: string | undefined;
      readonly cause: string | undefined;
    };

/** By state; counted, never estimated. */
export type StoredCounts = Readonly<Record<StoredState, number>>;
