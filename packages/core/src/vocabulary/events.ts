import type { JobError } from "../errors.js";

/** In every event. */
export interface JobEvent {
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
  /** When it happened, by the storage's clock. */
  readonly time: Date;
}

/** In every event about one run. */
export interface RunEvent extends JobEvent {
  /** 1 for the first. */
  readonly attempt: number;
}

/** What a queue tells, by its name. Each is sent after the fact is stored. */
export interface QueueEvents {
  /** Stored, and due at once. */
  enqueued: JobEvent;
  /** Stored, and due later. */
  scheduled: JobEvent & { readonly at: Date };
  started: RunEvent & { readonly owner: string };
  completed: RunEvent & { readonly durationMs: number };
  /** Once, at final failure. */
  failed: RunEvent & { readonly durationMs: number; readonly error: JobError };
  /** Each failed attempt before; due again `at`. */
  retrying: RunEvent & { readonly at: Date; readonly error: JobError };
  /** Before `retrying` or `failed`. */
  timeout: RunEvent & { readonly timeoutMs: number };
  /** By `Cancel`. */
  cancelled: JobEvent & { readonly reason: string };
  /** By a user. */
  revoked: JobEvent;
  /** Not started in time. */
  expired: JobEvent;
  skipped: JobEvent & { readonly reason: string };
  /** Once per waiting. */
  locked: JobEvent & { readonly key: string };
  /** Once per waiting. */
  limited: JobEvent & { readonly key: string };
  /** Given back by a consumer that stops, or taken from one that died. */
  interrupted: RunEvent;
  /** A consumer found that its right to run the job had passed to another. */
  "lease-lost": RunEvent & { readonly fence: number };
  quarantined: JobEvent & { readonly error: JobError };
  /** What a handler gave to `context.progress`. */
  progress: RunEvent & { readonly value: unknown };
}

/** The names of the events. */
export type EventType = keyof QueueEvents;

/** Any event, or those of some types; told apart by `type`. */
export type QueueEvent<Type extends EventType = EventType> = {
  [T in Type]: QueueEvents[T] & { readonly type: T };
}[Type];
