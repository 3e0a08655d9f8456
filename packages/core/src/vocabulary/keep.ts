import type { Duration } from "../duration.js";

/** How long final jobs and their results stay readable; the oldest go first. */
export interface Keep {
  /** @default { for: '1h', max: 1_000_000 } */
  readonly completed?: Duration | Retention;
  /** Also cancelled, expired, skipped and quarantined ones. @default { for: '7d', max: 1_000_000 } */
  readonly failed?: Duration | Retention;
}

/** For a time, up to a number, whichever ends first. */
export interface Retention {
  /** @default the queue's; of a queue '1h' for `completed`, '7d' for `failed` */
  readonly for?: Duration;
  /** An integer, 0 or more. @default of a queue 1_000_000; of a task none of its own */
  readonly max?: number;
}
