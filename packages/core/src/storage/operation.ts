/** Changes by users: amend, control, schedules, values, keys, notes. */
import type { TaskqError } from "../errors.js";
import type { JobEffect, NewFlow, StoredFlow } from "./flow.js";
import type { RunReference } from "./step.js";

export interface AmendRequest {
  readonly queue: string;
  readonly ids: readonly string[];
  readonly change:
    /** `flow`: every unfinished job of the flow; `later`: the job and what comes after it. */
    | { readonly kind: "revoke"; readonly scope: "flow" | "later" }
    | { readonly kind: "restore"; readonly scope: "flow" | "later" }
    | { readonly kind: "reschedule"; readonly due: number }
    | { readonly kind: "retry" }
    /** Quarantined jobs of tasks nobody knew: ready again or removed. */
    | { readonly kind: "remove" };
  readonly now?: number | undefined;
}

export interface AmendAnswer {
  /** The ids of the request to which something was done; with the scope of a flow, to any job of it. */
  readonly changed: readonly string[];
  readonly effects: readonly JobEffect[];
}

export interface ControlRequest {
  readonly queue: string;
  /** `undefined`: of the whole queue, which can be paused only. */
  readonly task: string | undefined;
  readonly change:
    | { readonly kind: "pause" | "resume" | "restore" | "inspect" }
    | { readonly kind: "revoke"; readonly once: boolean; readonly until: number | undefined };
  /** The active run that asks, as with an enqueue. */
  readonly run?: { readonly id: string; readonly fence: number } | undefined;
  readonly now?: number | undefined;
}

export interface ControlAnswer {
  /** Whether it was otherwise before. */
  readonly changed: boolean;
  readonly paused: boolean;
  readonly revoked: boolean;
}

export interface ScheduleRecord {
  readonly name: string;
  readonly origin: "task" | "stored";
  readonly task: string;
  /** The schedule and its job, encoded by core. */
  readonly bytes: Uint8Array;
  readonly paused: boolean;
  /** The last instant that fired or was let go; the moment it was first seen before that. */
  readonly lastAt: number;
  /** End of the flow it enqueued last. */
  readonly lastId: string | undefined;
}

export interface SchedulesRequest {
  readonly queue: string;
  /** Reads the one of this name alone; without a name and a change, all are read. */
  readonly name?: string | undefined;
  /** Without a change: read. */
  readonly change?:
    | {
        /** `declare` leaves `lastAt` and `paused` of one that is there as they are. */
        readonly kind: "declare" | "upsert";
        readonly name: string;
        readonly origin: "task" | "stored";
        readonly task: string;
        readonly bytes: Uint8Array;
      }
    | { readonly kind: "pause" | "resume" | "remove"; readonly name: string }
    | undefined;
  readonly now?: number | undefined;
}

export interface SchedulesAnswer {
  readonly changed: boolean;
  /** In the order of names: of a change, what is there now under the name that it gave. */
  readonly schedules: readonly ScheduleRecord[];
  /**
   * When all were read: those that this process has declared, that the storage has lost since, and that it could not take again
   * now, and why. @default none
   */
  readonly lost?: readonly { readonly name: string; readonly error: TaskqError }[] | undefined;
}

export interface TickRequest {
  readonly queue: string;
  readonly name: string;
  /** What the caller took for the last instant; another one answers `stale`. */
  readonly previous: number;
  /** The latest instant that this tick stands for; not later than now. */
  readonly at: number;
  /** One for each instant to run, in order; none: the instants are let go. */
  readonly flows: readonly NewFlow[];
  /**
   * `skip`: nothing is enqueued while the flow before is not final. `queue`: one at most, unless one waits already. Where that
   * one is final, all flows are enqueued: with `allow` at once, else each to wait for the one before it.
   */
  readonly overlap: "allow" | "skip" | "queue";
  readonly now?: number | undefined;
}

export interface TickAnswer {
  /** `overlapped`: recorded, but nothing enqueued. `paused` and `revoked`: likewise. `removed`: no such schedule. */
  readonly status: "applied" | "stale" | "overlapped" | "paused" | "revoked" | "removed";
  readonly lastAt: number | undefined;
  readonly flows: readonly StoredFlow[];
  /** How many of the first flows of the request were skipped, since the task was revoked once: `flows` begins behind them. @default 0 */
  readonly skipped?: number | undefined;
  readonly effects: readonly JobEffect[];
}

export interface NoteRequest {
  readonly queue: string;
  readonly run: RunReference;
  readonly kind: "progress" | "log";
  readonly bytes: Uint8Array;
  readonly now?: number | undefined;
}

export type ValueOperation =
  | { readonly kind: "get" | "take" | "delete"; readonly key: string }
  | {
      readonly kind: "set" | "set-if-absent";
      readonly key: string;
      readonly bytes: Uint8Array;
      readonly expiresAt: number | undefined;
    }
  | {
      readonly kind: "compare-and-delete";
      readonly key: string;
      readonly bytes: Uint8Array;
      /** What equals it where a number is kept. */
      readonly number?: number | undefined;
    }
  /** Bytes that stand for a number are kept as that number, until they would have expired; anything else stays. */
  | {
      readonly kind: "as-number";
      readonly key: string;
      readonly bytes: Uint8Array;
      readonly number: number;
    }
  /** Of a number kept as a number; `undefined` leaves the expiry of one that is there as it is. */
  | {
      readonly kind: "increment";
      readonly key: string;
      readonly by: number;
      readonly expiresAt: number | undefined;
    };

export interface ValuesRequest {
  readonly queue: string;
  /** Names this call; repeated within ten minutes, it answers as before and does nothing. */
  readonly operation: string;
  readonly operations: readonly ValueOperation[];
  readonly now?: number | undefined;
}

export type ValueAnswer =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "done"; readonly changed: boolean }
  /** An increment of what is no number, or to a sum further from 0 than the largest safe integer: nothing is changed. */
  | { readonly kind: "not-a-number" };

export type KeysRequest = { readonly queue: string; readonly now?: number | undefined } & (
  | {
      readonly kind: "acquire";
      readonly name: string;
      /** Names the asker; asked again, it answers where it stands. */
      readonly ticket: string;
      readonly owner: string;
      /** Holders at a time. */
      readonly max: number;
      /** Milliseconds from the answer that tells of the grant. */
      readonly ttl: number;
      /** How long the place in the line, or what was granted there, outlives the asker, in milliseconds; `undefined`: do not wait. */
      readonly wait: number | undefined;
    }
  | { readonly kind: "renew"; readonly name: string; readonly ticket: string; readonly ttl: number }
  /** Without a ticket: every holder. */
  | { readonly kind: "release"; readonly name: string; readonly ticket: string | undefined }
  | { readonly kind: "inspect"; readonly name: string }
);

export interface KeysAnswer {
  /** Of acquire: `held`, `waiting` or `busy`; of renew: `held` or `lost`; of release: `released` or `none`. */
  readonly status: "held" | "waiting" | "busy" | "lost" | "released" | "none" | "inspected";
  readonly fence: number | undefined;
  readonly expiresAt: number | undefined;
  readonly holders: readonly KeyHolder[];
}

export interface KeyHolder {
  readonly owner: string;
  readonly fence: number;
  readonly expiresAt: number;
}

/** A start under a limit, outside a job. */
export interface TakeRequest {
  readonly queue: string;
  /** Names this call; repeated within ten minutes after it has taken a start, it takes no other. */
  readonly operation: string;
  /** Of the limits of jobs' gates. */
  readonly key: string;
  /** Starts in any window of `per` milliseconds. */
  readonly max: number;
  readonly per: number;
  readonly now?: number | undefined;
}

export interface TakeAnswer {
  readonly taken: boolean;
  /** When to try again; `undefined`: it is taken. */
  readonly opensAt: number | undefined;
}
