/** The feed of events: jobs that became final, whichever process did it. */
import type { FinalState } from "./flow.js";

export interface EventsRequest {
  readonly queue: string;
  /** The cursor to go on behind; `now`: from now on; `start`: all that is kept. */
  readonly from: string;
  /** The most events to answer. */
  readonly limit: number;
  readonly now?: number | undefined;
}

export interface EventsAnswer {
  /** In the order they were stored. */
  readonly events: readonly StoredEvent[];
  /** Where to go on: behind the last of the events. */
  readonly cursor: string;
}

/** A job that became final. Complete in itself, since the job may be gone by the time it is read. */
export interface FinalEvent {
  readonly id: string;
  readonly task: string;
  readonly state: FinalState;
  /** Runs begun. */
  readonly attempt: number;
  /** Of the last run; 0 before the first. */
  readonly fence: number;
  /** When it was stored. */
  readonly time: number;
  /** When its last run began; `undefined`: it never ran. */
  readonly startedAt: number | undefined;
  /** As in its record. */
  readonly reason: string | undefined;
  /** The error of a failed or quarantined one, up to `FEED_ERROR_BYTES`; a storage's own failures have none. */
  readonly error: Uint8Array | undefined;
}

export interface StoredEvent extends FinalEvent {
  /** Goes on behind this event. */
  readonly cursor: string;
}
