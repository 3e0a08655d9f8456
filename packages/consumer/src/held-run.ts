import { JobRun, type Engine, type FinishedRun, type RunHost } from "@taskq/core/engine";
import type { ClaimedJob } from "@taskq/core/storage";
import type { InBag } from "./bag.js";
import type { Stamp } from "./stamp.js";

/** One run that this consumer holds the lease of. */
export class HeldRun implements InBag {
  readonly run: JobRun;
  readonly claimed: ClaimedJob;
  /**
   * `waiting` for a slot; `running`; `ended`, its settlement not yet answered; `gone`: settled, lost or given up,
   * whatever its handler still does.
   */
  state: "waiting" | "running" | "ended" | "gone" = "waiting";
  /** Whether the storage knows that its handler has begun. */
  told: boolean;
  /** When the storage last vouched for its lease. */
  vouched: Stamp;
  /** When the answer came that claimed it, in milliseconds of `performance.now()`. */
  heldSince = 0;
  /** When its handler began, in milliseconds of `performance.now()`. */
  beganAt = 0;
  place = -1;
  /** Where it stands among those held; written by `HeldRuns` alone. */
  seat = -1;
  finished: FinishedRun | undefined = undefined;

  constructor(engine: Engine, claimed: ClaimedJob, host: RunHost, vouched: Stamp) {
    this.run = new JobRun(engine, claimed, host);
    this.claimed = claimed;
    this.told = claimed.begun;
    this.vouched = vouched;
  }
}
