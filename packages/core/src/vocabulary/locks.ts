import type { Duration } from "../duration.js";
import type { WaitOptions } from "./result.js";

/** How a lock is taken and held. */
export interface LockOptions extends WaitOptions {
  /** How long it outlives a holder that died; renewed while it is held. At least 100 ms. @default '30s' */
  readonly ttl?: Duration;
  /** @default 'wait' */
  readonly onBusy?: "wait" | "fail";
}

/** How a lock with several holders is taken and held. */
export interface SemaphoreOptions extends LockOptions {
  /** Holders at a time. An integer, 1 or more. */
  readonly max: number;
}

/**
 * A right not taken yet: to be the only holder of a name, over all processes. Waiting ends with `timeout`, with `signal`, and
 * when the queue is closed.
 *
 * @example
 * await queue.lock("daily-sync").run(({ signal }) => sync(signal));
 * await using held = await queue.lock("daily-sync", { onBusy: "fail" }).acquire();
 */
export interface Lock {
  /**
   * Takes the lock, works, releases it, and answers what `work` did, also where it cannot be released: then it lapses, and the log
   * says so. @throws `TASKQ_LOCKED`
   */
  run<T>(work: (held: HeldLock) => T): Promise<Awaited<T>>;
  /** Takes the lock; release it by disposing of it. @throws `TASKQ_LOCKED` */
  acquire(): Promise<HeldLock>;
}

/** A lock that is held, renewed until it is disposed of. */
export interface HeldLock extends AsyncDisposable {
  readonly name: string;
  /** Greater than that of any holder before; hand it to what must refuse a late writer. */
  readonly fence: number;
  /** Aborts when the lock is lost: when its `ttl` is over at the latest, whether or not the storage answers. */
  readonly signal: AbortSignal;
}

/** The locks of a queue, for operators. */
export interface Locks {
  /** Who holds it; `undefined`: nobody does. */
  inspect(name: string): Promise<LockState | undefined>;
  /** Takes it away from whoever holds it. `false`: nobody did. */
  release(name: string): Promise<boolean>;
}

/** Who held a lock at one instant. */
export interface LockState {
  readonly name: string;
  readonly holders: readonly {
    readonly owner: string;
    readonly fence: number;
    readonly expiresAt: Date;
  }[];
}

/** How often something may start, and what a caller over that does. */
export interface LimitOptions extends WaitOptions {
  /** Starts in any window of `per`. An integer, 1 to 10 000. */
  readonly max: number;
  /** At least 1 ms. */
  readonly per: Duration;
  /** `fail` throws `TASKQ_LIMITED` at once. @default 'wait' */
  readonly onLimit?: "wait" | "fail";
}

/**
 * A right to start something so often, over all processes: never more than `max` starts in any window of `per`. Tasks
 * whose `limit` has the same key share the starts. It stands in no line with their jobs. Waiting ends with `timeout`,
 * with `signal`, and when the queue is closed.
 *
 * @example
 * await queue.limit("api", { max: 10, per: "1s" }).run(() => fetch(url));
 */
export interface Limit {
  /** Uses up one of `max`, works, and answers what `work` did. @throws `TASKQ_LIMITED` */
  run<T>(work: () => T): Promise<Awaited<T>>;
  /** Uses up one of `max`. @throws `TASKQ_LIMITED` */
  acquire(): Promise<void>;
}
