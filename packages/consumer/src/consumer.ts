import type { Duration } from "@taskq/core";

/** Claims and executes jobs, once it is started and until it is stopped. */
export interface Consumer extends AsyncDisposable {
  /** Starts, and resolves when stopped: by SIGINT or SIGTERM (a second one stops at once), by `signal` or by `stop`. */
  run(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Resolves when it claims; takes no process signals. */
  start(): Promise<void>;
  /** Claims no more, waits `grace` for what has begun, then gives it back. Again: the same promise. */
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
