import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../clock.js";
import { epochMilliseconds, milliseconds, type Duration } from "../duration.js";

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /**
   * Moves the time forward, stopping at each instant that something waits for, in order, and lets promises run there;
   * what they then wait for within the same stretch of time is reached too. Calls run one after the other.
   *
   * @throws `TASKQ_OPTION` for a bad duration.
   */
  advance(by: Duration): Promise<void>;
}

interface Waiter {
  readonly instant: number;
  readonly wake: () => void;
}

/**
 * A clock for tests; it stands still until it is advanced.
 *
 * @param start the first instant. Default 2000-01-01T00:00:00Z.
 * @throws `TASKQ_OPTION` for an invalid Date.
 * @example
 * const clock = virtualClock();
 * const woken = clock.until(clock.now() + 60_000);
 * await clock.advance('1m');
 * await woken;
 */
export function virtualClock(start: Date = new Date("2000-01-01T00:00:00Z")): VirtualClock {
  let time = epochMilliseconds(start, "virtualClock start");
  let advancing: Promise<void> = Promise.resolve();
  const waiters = new Set<Waiter>();

  async function advanceBy(stretch: number): Promise<void> {
    const end = time + stretch;
    for (;;) {
      await nextTurn();
      const waiter = earliest(waiters, end);
      if (waiter === undefined) break;
      time = Math.max(time, waiter.instant);
      waiter.wake();
    }
    time = end;
  }

  return {
    now: () => time,
    until: (instant, signal) =>
      new Promise((resolve) => {
        if (instant <= time || signal?.aborted === true) {
          resolve();
          return;
        }
        const wake = (): void => {
          waiters.delete(waiter);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const waiter: Waiter = { instant, wake };
        waiters.add(waiter);
        signal?.addEventListener("abort", wake, { once: true });
      }),
    async advance(by) {
      const stretch = milliseconds(by, "advance");
      advancing = advancing.then(() => advanceBy(stretch));
      await advancing;
    },
  };
}

/** The first of those that wait for the earliest instant, if that is not after the end. */
function earliest(waiters: Iterable<Waiter>, end: number): Waiter | undefined {
  let found: Waiter | undefined;
  for (const waiter of waiters) {
    if (waiter.instant <= (found === undefined ? end : found.instant - 1)) found = waiter;
  }
  return found;
}
