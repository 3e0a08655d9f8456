/** The hot path: settle what ended, claim what is free. */
import type { TaskqError } from "../errors.js";
import type { JobEffect, NewFlow, NewGate, NewUnique, StoredState } from "./flow.js";

/** One run: the right to it is proved by the fence. */
export interface RunReference {
  readonly id: string;
  readonly fence: number;
}

export interface StepRequest {
  readonly queue: string;
  /** Who claims; one running consumer, never reused by another. */
  readonly owner: string;
  /** Grows with every new request of this owner that claims; the same number again is a repeat of a lost answer. */
  readonly request: number;
  /**
   * Steps of an owner in different lanes may be under way at the same time; what is answered again is the last claim of
   * each lane. From 0 on, less than the `lanes` of the storage. @default 0
   */
  readonly lane?: number | undefined;
  /** Names of the tasks that this owner can run; keep the array from call to call, it is compared by identity first. */
  readonly tasks: readonly string[];
  readonly settled: readonly Settlement[];
  /** Runs claimed ahead whose handler has begun since. */
  readonly begun: readonly RunReference[];
  readonly claim: ClaimRequest | undefined;
  /** The owner asks no more: what a storage has gathered in memory, it writes now. @default false */
  readonly last?: boolean | undefined;
  readonly now?: number | undefined;
}

export interface ClaimRequest {
  /** Jobs that begin at once. */
  readonly begin: number;
  /** Jobs claimed ahead beyond those: ungated, at-least-once and never reaped ones only. */
  readonly ahead: number;
  /** Length of the lease, in milliseconds. */
  readonly lease: number;
  /** Only these. */
  readonly ids?: readonly string[] | undefined;
  /**
   * Where nothing is found: the caller listens, and claims again as soon as it hears that something is ready. A storage may then
   * claim one job that comes meanwhile for it, and hand it out with that next claim; what nobody takes within a moment it gives back.
   * A step without a claim ends it. @default false
   */
  readonly waits?: boolean | undefined;
}

/** The end of one run, as decided. */
export interface Settlement {
  readonly id: string;
  readonly fence: number;
  /** When the handler began. */
  readonly startedAt: number;
  readonly outcome: SettledOutcome;
  /** Flows that become part of what follows this job, stored in the same step; only with `completed`. */
  readonly add: readonly NewFlow[] | undefined;
  /** The job as it was claimed, for the statistics: without it, the run is in none of them. */
  readonly claimed?: Pick<ClaimedJob, "task" | "due"> | undefined;
}

export type SettledOutcome =
  | { readonly kind: "completed"; readonly result: Uint8Array | undefined }
  | { readonly kind: "failed"; readonly error: Uint8Array }
  /** Due again; `counts`: it used up one of the retries. */
  | {
      readonly kind: "retry";
      readonly error: Uint8Array | undefined;
      readonly due: number;
      readonly counts: boolean;
    }
  /** Given back unbegun, as if never claimed. */
  | { readonly kind: "released" }
  /** Given back unbegun until an instant. */
  | { readonly kind: "postponed"; readonly due: number }
  /**
   * Given back unbegun with what it waits by from now on, in place of what it had: the keys of a stage are made from its
   * input, which is there only when it is claimed. It keeps its place among the others, and is not counted.
   */
  | {
      readonly kind: "keyed";
      readonly body: Uint8Array;
      readonly gates: readonly NewGate[] | undefined;
      readonly unique: NewUnique | undefined;
    }
  /** Given back by a consumer that stops in mid-run: ready at once; an at-most-once job ends `failed`. */
  | { readonly kind: "interrupted" }
  | { readonly kind: "cancelled"; readonly reason: string }
  | { readonly kind: "expired" }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "quarantined"; readonly error: Uint8Array };

/**
 * `applied`; `repeated`: this very fence did it before; `lost`: the run is somebody else's, or taken away; `refused`: a flow
 * that it adds has been given the id of another task's job, so nothing was done, and the run is still the caller's to settle.
 */
export type SettleAnswer = "applied" | "repeated" | "lost" | "refused";

export interface StepAnswer {
  /** In the order of `settled`. */
  readonly settled: readonly SettleAnswer[];
  /** May be read only when it is asked for, by a getter of a class: whoever copies an answer copies this by its name. */
  readonly claimed: readonly ClaimedJob[];
  /** How many those are, from a storage that reads them only when they are asked for. */
  readonly count?: number | undefined;
  /** Whether it passed over ready jobs because they are not claimed ahead; a storage that does not say may have done so. */
  readonly passedOver?: boolean | undefined;
  /** There may be more to claim at once. */
  readonly more: boolean;
  /** Why none was claimed though there are some, where the storage has no room for what would come of them; what was settled is. */
  readonly unclaimed?: TaskqError | undefined;
  /** When the next job or gate becomes due, as far as known. */
  readonly nextDue: number | undefined;
  /** Runs of this owner that a user has revoked. */
  readonly revoked: readonly RunReference[];
  readonly effects: readonly JobEffect[];
}

export interface ClaimedJob {
  readonly id: string;
  readonly task: string;
  readonly fence: number;
  /** Runs begun, this one included. */
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly priority: number;
  readonly enqueuedAt: number;
  readonly due: number;
  readonly expiresAt: number | undefined;
  readonly delivery: "at-least-once" | "at-most-once";
  readonly body: Uint8Array;
  /** `false`: claimed ahead. */
  readonly begun: boolean;
  readonly leaseUntil: number;
  /** Set when a gate was closed and its policy is not to wait. */
  readonly verdict: GateVerdict | undefined;
  /** What came before it in its flow, in the order of its edges. */
  readonly sources: readonly Source[] | undefined;
  /** The values under which it is guarded outside its bytes, to be compared with those inside. */
  readonly guards: JobGuards | undefined;
}

/** What is to become of a job whose gate was closed. */
export interface GateVerdict {
  readonly kind: "skip" | "drop" | "fail";
  /** The key of the gate. */
  readonly gate: string;
  readonly gateKind: NewGate["kind"];
}

/** What stands outside the bytes and must agree with them. `undefined` on a claimed job: there is none of it. */
export interface JobGuards {
  readonly gates: readonly string[];
  readonly unique: string | undefined;
  readonly after: readonly string[];
}

/** A predecessor's outcome. Bytes are left out when the sources of one job exceed 64 KiB: then they are read by id. */
export type Source = JobSource | JoinSource;

export interface JobSource {
  readonly kind: "job";
  readonly id: string;
  readonly task: string;
  readonly fence: number;
  readonly state: StoredState;
  readonly attempt: number;
  /** The result of a completed job, the error of a failed or quarantined one. */
  readonly bytes: Uint8Array | undefined;
  /** Whether there are bytes that were left out. */
  readonly left: boolean;
  readonly reason: string | undefined;
  readonly cause: string | undefined;
}

export interface JoinSource {
  readonly kind: "join";
  readonly id: string;
  readonly mode: "all" | "settled";
  readonly state: StoredState;
  readonly reason: string | undefined;
  /** The job because of which it is not completed. */
  readonly cause: string | undefined;
  /** In the order given at enqueue. */
  readonly members: readonly Source[];
}

export interface RenewRequest {
  readonly queue: string;
  readonly owner: string;
  /** Length of the lease from now, in milliseconds. */
  readonly lease: number;
  /** Runs that the owner believes to hold. */
  readonly runs: readonly RunReference[];
  readonly now?: number | undefined;
}

export interface RenewAnswer {
  readonly leaseUntil: number;
  /** Runs of the request that are no longer the owner's. */
  readonly lost: readonly RunReference[];
  /** Runs of this owner that a user has revoked. */
  readonly revoked: readonly RunReference[];
}

export interface ReapRequest {
  readonly queue: string;
  /** The most runs to take in one call. */
  readonly limit: number;
  readonly now?: number | undefined;
}

export interface ReapAnswer {
  readonly reaped: readonly ReapedRun[];
  readonly effects: readonly JobEffect[];
  /** When a lease or a suspicion next runs out, as far as known. */
  readonly nextAt: number | undefined;
}

export interface ReapedRun extends RunReference {
  readonly task: string;
  readonly attempt: number;
  readonly begun: boolean;
  /** `ready`; `failed` over the crash budget or of an at-most-once job; `cancelled` of one that was revoked. */
  readonly state: StoredState;
}
