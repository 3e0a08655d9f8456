import type { BackoffPolicy } from "../backoff.js";
import type { Duration, When } from "../duration.js";
import type { UniqueOptions } from "./task-options.js";

/** Small texts that travel with a job, such as a trace. */
export type JobHeaders = Readonly<Record<string, string>>;

/** What one job is enqueued with; it wins over the task's options. */
export type EnqueueOptions = When & {
  /**
   * Makes enqueue idempotent for a day: the same id again answers the job that is there. Of a flow, it is the id of the
   * last stage, or of the group that ends it. @default a time-ordered, unguessable one
   */
  readonly id?: string;
  /** An integer of 32 bits; higher first. @default the task's */
  readonly priority?: number;
  /** Relative to now, or an instant. @default the task's */
  readonly expires?: Duration | Date;
  /** @default the task's */
  readonly timeout?: Duration;
  /** @default the task's */
  readonly retries?: number;
  /** Stored with the job, so a bare function cannot be. @default the task's */
  readonly backoff?: Duration | BackoffPolicy;
  /** @default the task's */
  readonly unique?: UniqueOptions<never> & { readonly key?: string };
  /** @default none */
  readonly headers?: JobHeaders;
};

/** The same for every job of the batch. */
export type BatchOptions = EnqueueOptions & { readonly id?: never };

/** Of `context.enqueue` only. */
export interface JoinOption {
  /**
   * Makes the new job part of what follows this one: stored with its finishing move, so that a second run does not fan out
   * twice. An `id` that another task has is refused with `TASKQ_ID_TAKEN`; one that it takes meanwhile fails the run.
   * Once the run is over it is refused with `TASKQ_LEASE_LOST`.
   *
   * Until the run has completed there is no such job: of the handle, `wait` rejects with `TASKQ_STORAGE` and `state()` is
   * `undefined`. So it remains where the run does not complete, and where a `unique` key is taken when it does: then
   * nothing is stored, and the handle does not lead to the job that has the key.
   *
   * @default false
   */
  readonly join?: boolean;
}

/** Any number of them, there already or to come. */
export type Many<T> = Iterable<T> | AsyncIterable<T>;

/** Which future jobs of a task to skip: the next one, those until an instant, or (neither) all until restored. */
export type RevokeOptions =
  | { readonly once?: boolean; readonly until?: never }
  | { readonly until?: Date; readonly once?: never };
