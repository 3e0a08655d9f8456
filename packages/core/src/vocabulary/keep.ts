import type { Duration } from "../duration.js";

/** How long final jobs and their results stay readable; the oldest go first. */
export interface Keep {
  /** @default { for: '1h', max: 1_000_000 } */
  readonly completed?: Duration | Retention;
  /** Also cancelled, expired, skipped and quarantined ones. @default { for: '7d' } */
  readonly failed?: Duration | Retention;
}

/** For a time, up to a number, or whichever ends first. */
export interface Retention {
  readonly for?: Duration;
  /** An integer, 0 or more. */
  readonly max?: number;
}
