import type { JobError } from "../errors.js";
import type { Settlement } from "../storage.js";
import type { Run } from "./run.js";

/** A run that has ended: what to ask of the storage, and what to tell once that is stored. */
export interface FinishedRun {
  readonly run: Run;
  readonly settlement: Settlement;
  readonly endedAt: number;
  /** Of a failed attempt or a quarantined job. */
  readonly error: JobError | undefined;
  /** How long its timeout was, if it timed out. */
  readonly timeoutMs: number | undefined;
  /** What is to be asked instead, should the storage refuse what the run adds. */
  readonly afterRefusal?: (() => FinishedRun) | undefined;
}
