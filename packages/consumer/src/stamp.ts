/**
 * A moment by two clocks: the monotonic one stands still while a machine sleeps, the wall's may be set back. The longer
 * of the two times that have passed since is the safe one.
 */
export interface Stamp {
  readonly monotonic: number;
  readonly wall: number;
}

export function stampNow(): Stamp {
  return { monotonic: performance.now(), wall: Date.now() };
}

/** Milliseconds that have passed since; `monotonic` is the time by `performance.now()`. */
export function ageOf(stamp: Stamp, monotonic: number = performance.now()): number {
  return Math.max(monotonic - stamp.monotonic, Date.now() - stamp.wall);
}
