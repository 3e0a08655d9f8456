import type { Duration } from "@taskq/core";

/** Claims and executes jobs, once it is started and until it is stopped; after that, another one is to be made. */
export interface Consumer extends AsyncDisposable {
  /**
   * Starts, and resolves when stopped: by SIGINT or SIGTERM (a second one stops at once), by `signal` or by `stop`.
   *
   * @throws `TASKQ_CLOSED` once it was stopped, and what made it fail
   */
  run(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Resolves when it claims, or is stopped before it does; takes no process signals.
   *
   * @throws `TASKQ_CLOSED` once it was stopped, and what `setup` throws
   */
  start(): Promise<void>;
  /**
   * Claims no more, waits `grace` for what has begun, then gives it back. Again: the same promise; a shorter `grace` counts.
   * A `setup` that has not ended, and then the `teardown`, have as long each; what takes longer is left behind, and the log tells.
   * One that calls this does not wait for its own end.
   * A storage that is away is then asked for up to 10 s to take what has ended; what it has not taken by then runs again.
   *
   * With a `grace` of 0 it stops at once: handlers, `setup`, `teardown` and a storage that is away have half a second
   * each, and the log tells what is left behind. One that has stopped answering is away once a call that settles something
   * has run out of its time (the `timeout` of the storage, 5 s by default on Redis).
   */
  stop(options?: { readonly grace?: Duration }): Promise<void>;
  health(): ConsumerHealth;
}

/** How a consumer is. */
export interface ConsumerHealth {
  readonly state: "stopped" | "starting" | "running" | "stopping";
  /** Whether the storage answered last time. */
  readonly connected: boolean;
  readonly workers: number;
  readonly busy: number;
  /** How late the event loop is, in milliseconds. */
  readonly lagMs: number;
  readonly lastClaimAt: Date | undefined;
}
