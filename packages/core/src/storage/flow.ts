/** What enqueue stores: rows, edges, gates. Bytes are opaque to every storage. Instants are epoch milliseconds. */

/** How a job ended, or where it stands; the last six are final. */
export type StoredState =
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

export type FinalState = Exclude<StoredState, "blocked" | "scheduled" | "ready" | "parked" | "active">;

/**
 * When an edge is satisfied: its source completed; ended `failed` or `quarantined`, or was skipped because of
 * a job that did; or is final at all.
 */
export type EdgeCondition = "completed" | "failed" | "settled";

export interface NewEdge {
  /** Id of a job or a join, of the same flow or stored before. */
  readonly source: string;
  readonly on: EdgeCondition;
}

/** What must be open before a job may start. A job takes all of its gates or none. */
export interface NewGate {
  readonly kind: "lock" | "concurrency" | "limit";
  /** Locks, concurrency keys and limits are names of one space each: the kind belongs to the name. */
  readonly key: string;
  /** Holders at a time; of a limit, starts in any window of `per`. */
  readonly max: number;
  /** Of a limit, in milliseconds. */
  readonly per: number | undefined;
  /** `wait` parks the job; the others hand it over with a verdict. */
  readonly onBusy: "wait" | "skip" | "drop" | "fail";
}

export interface NewUnique {
  readonly key: string;
  /** How long the key is taken: until the job starts, until it is final, or until an instant. */
  readonly until: "started" | "final" | number;
  readonly onConflict: "ignore" | "replace";
}

/** How long a final job is kept, in milliseconds; the queue's own retention where it does not say. */
export interface NewKeep {
  readonly completed: number | undefined;
  /** In all other final states. */
  readonly failed: number | undefined;
  /** How many jobs of its task are kept that completed, beside what the queue keeps. What the last one says counts.
   * Not before `KEPT_AT_LEAST` has passed. */
  readonly completedMax?: number | undefined;
  /** The same of all other final states. */
  readonly failedMax?: number | undefined;
}

/** One row. Everything but `priority` and `due` is immutable once stored, unless a run is given back `keyed`. */
export interface NewJob {
  readonly id: string;
  /** Whether the caller gave the id. Such ids are remembered after the job is gone, for a day from enqueue. */
  readonly named: boolean;
  /**
   * Of a job whose id the caller gave: the id that would have been made for it. Ids that are made sort as they were made:
   * so a storage that orders by them knows where it stands among others of its millisecond. Nothing finds the job by it.
   */
  readonly order?: string | undefined;
  readonly task: string;
  readonly body: Uint8Array;
  /** An int32; higher first. */
  readonly priority: number;
  /** The instant from which it may run; of a job with edges, not before they are satisfied. */
  readonly due: number;
  readonly expiresAt: number | undefined;
  readonly delivery: "at-least-once" | "at-most-once";
  readonly after: readonly NewEdge[] | undefined;
  readonly gates: readonly NewGate[] | undefined;
  readonly unique: NewUnique | undefined;
  readonly keep: NewKeep | undefined;
}

/** A group: never claimed; final when its members are. `all` fails with the first member that does not complete. */
export interface NewJoin {
  readonly id: string;
  /** Whether the caller gave the id, as of a job. @default false */
  readonly named?: boolean | undefined;
  readonly mode: "all" | "settled";
  /** Ids of jobs and joins of the same flow, in the order given. */
  readonly members: readonly string[];
}

/** What one enqueue stores, whole or not at all. */
export interface NewFlow {
  /** The job or join whose outcome the flow's handle reads: its end. */
  readonly end: string;
  readonly jobs: readonly NewJob[];
  readonly joins: readonly NewJoin[];
}

export interface EnqueueRequest {
  readonly queue: string;
  /** Stored in one step, all or none. */
  readonly flows: readonly NewFlow[];
  /** The active run that enqueues: what runs ends where it is, so that a queue which leaves takes it from there. */
  readonly run?: { readonly id: string; readonly fence: number } | undefined;
  /** Virtual time, instead of the storage's clock. */
  readonly now?: number | undefined;
}

/** One for each flow, in order. */
export interface StoredFlow {
  /** `existing`: nothing was stored, since a job with the caller's id or unique key is there. */
  readonly status: "stored" | "existing";
  /** Of the job that is there. */
  readonly id: string;
  /** State of the flow's first jobs: `scheduled` when due later. */
  readonly state: StoredState;
}

/** A generated id was taken by another job, nothing was stored, and new ids are to be made. */
export interface EnqueueCollision {
  readonly collision: string;
}

export interface EnqueueAnswer {
  readonly flows: readonly StoredFlow[];
  readonly effects: readonly JobEffect[];
}

/** What a move did to other jobs than those it was asked about; events derive from it. */
export interface JobEffect {
  readonly id: string;
  readonly task: string;
  readonly kind:
    | "skipped"
    | "expired"
    | "cancelled"
    | "failed"
    | "quarantined"
    | "parked"
    | "readied"
    | "interrupted";
  /** Of a cancel: `revoked`, `replaced`; of a quarantine: `unknown-task`; of a skip or a failure, why. */
  readonly reason: string | undefined;
  /** The job because of which. */
  readonly cause: string | undefined;
  /**
   * The gate it was parked under: a lock or a concurrency key by its key, others with their kind, as `limit:api`; so is
   * a key that begins like a kind, as `lock:limit:api`.
   */
  readonly gate: string | undefined;
  /** Runs begun. */
  readonly attempt: number;
}
