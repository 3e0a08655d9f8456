import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startTimer } from "../src/timer.ts";

const DAY = 86_400_000;

describe("a timer", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([1, 1_000, 2 ** 31 - 1, 2 ** 31, 60 * DAY, 36_500 * DAY])(
    "of %d ms fires then, once, and not before",
    (delay) => {
      const fired = vi.fn<() => void>();
      startTimer(fired, delay);
      vi.advanceTimersByTime(delay - 1);
      expect(fired).toHaveBeenCalledTimes(0);
      // Long ones are made of several, each of whole milliseconds.
      vi.advanceTimersByTime(2_000);
      expect(fired).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(delay + DAY);
      expect(fired).toHaveBeenCalledTimes(1);
    },
  );

  test("of 60 days is cleared as any other, also after its first month", () => {
    const fired = vi.fn<() => void>();
    const timer = startTimer(fired, 60 * DAY);
    vi.advanceTimersByTime(30 * DAY);
    clearTimeout(timer);
    vi.advanceTimersByTime(60 * DAY);
    expect(fired).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
