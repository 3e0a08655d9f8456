import type { Duration } from "../duration.js";

/**
 * Keys and values of the queue, beside its jobs. Each call is one atomic step.
 *
 * @example
 * await queue.values.set("progress:42", { percent: 10 }, { ttl: "1h" });
 */
export interface Values {
  /** Stores it, whatever was there. @throws `TASKQ_INPUT` `TASKQ_TOO_LARGE` */
  set(key: string, value: unknown, options?: ValueOptions): Promise<void>;
  /** `Value` is believed, not checked. */
  get<Value = unknown>(key: string): Promise<Value | undefined>;
  /** Reads and removes in one step. */
  take<Value = unknown>(key: string): Promise<Value | undefined>;
  /** `false`: there was a value, and it stays. */
  setIfAbsent(key: string, value: unknown, options?: ValueOptions): Promise<boolean>;
  /** `false`: there was none. */
  delete(key: string): Promise<boolean>;
  /** `false`: there was none, or another; it stays. Compared as they are encoded: the fields of an object have an order. */
  compareAndDelete(key: string, expected: unknown): Promise<boolean>;
  /**
   * Answers the new number; none counts as 0. Without `ttl` it stays as long as before.
   *
   * @throws `TASKQ_NOT_A_NUMBER` also where the sum would be beyond `Number.MAX_SAFE_INTEGER`
   */
  increment(key: string, by?: number, options?: ValueOptions): Promise<number>;
}

/** How a value is stored. */
export interface ValueOptions {
  /** How long it stays. @default for ever */
  readonly ttl?: Duration;
}
