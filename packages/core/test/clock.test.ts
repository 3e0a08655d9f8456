import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../src/clock.ts";
import { virtualClock } from "../src/testing/virtual-clock.ts";

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe("the system clock", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("waits until the instant, and not a millisecond less", async () => {
    const waiting = systemClock.until(systemClock.now() + 1000);
    await vi.advanceTimersByTimeAsync(999);
    expect(await isSettled(waiting)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isSettled(waiting)).toBe(true);
  });

  test("does not wait for the past", async () => {
    await systemClock.until(systemClock.now());
    await systemClock.until(systemClock.now() - 1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits for 60 days, which is more than a timer can", async () => {
    const days = 60 * 86_400_000;
    const waiting = systemClock.until(systemClock.now() + days);
    await vi.advanceTimersByTimeAsync(days - 1);
    expect(await isSettled(waiting)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isSettled(waiting)).toBe(true);
  });

  test("waits on when the machine's time is set back", async () => {
    const waiting = systemClock.until(systemClock.now() + 1000);
    vi.setSystemTime(Date.now() - 500);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await isSettled(waiting)).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    expect(await isSettled(waiting)).toBe(true);
  });

  test("resolves when the signal aborts, and leaves neither timer nor listener", async () => {
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, "removeEventListener");
    const waiting = systemClock.until(systemClock.now() + 1000, controller.signal);
    controller.abort();
    await waiting;
    expect(vi.getTimerCount()).toBe(0);
    expect(remove).toHaveBeenCalledOnce();
  });

  test("does not wait at all with an aborted signal", async () => {
    await systemClock.until(systemClock.now() + 1000, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a virtual clock", () => {
  test("starts with the year 2000, or where it is told to", () => {
    expect(new Date(virtualClock().now()).toISOString()).toBe("2000-01-01T00:00:00.000Z");
    expect(virtualClock(new Date(5)).now()).toBe(5);
    expect(() => virtualClock(new Date(Number.NaN))).toThrow(/^virtualClock start: expected/);
  });

  test("stops at each instant that is waited for, in order", async () => {
    const clock = virtualClock(new Date(0));
    const woken: [string, number][] = [];
    const wait = async (name: string, instant: number): Promise<void> => {
      await clock.until(instant);
      woken.push([name, clock.now()]);
    };
    const all = [wait("c", 3000), wait("a", 1000), wait("b", 2000), wait("a2", 1000)];
    await clock.advance("2s");
    expect(woken).toEqual([
      ["a", 1000],
      ["a2", 1000],
      ["b", 2000],
    ]);
    expect(clock.now()).toBe(2000);
    await clock.advance(1000);
    await Promise.all(all);
    expect(woken.at(-1)).toEqual(["c", 3000]);
  });

  test("reaches what is waited for only on the way", async () => {
    const clock = virtualClock(new Date(0));
    const ticks: number[] = [];
    const ticking = (async () => {
      while (ticks.length < 3) {
        await clock.until(clock.now() + 10);
        ticks.push(clock.now());
      }
    })();
    await clock.advance(100);
    await ticking;
    expect(ticks).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(100);
  });

  test("runs overlapping advances one after the other", async () => {
    const clock = virtualClock(new Date(0));
    await Promise.all([clock.advance(10), clock.advance(5)]);
    expect(clock.now()).toBe(15);
  });

  test("resolves a wait whose signal aborts, without moving", async () => {
    const clock = virtualClock(new Date(0));
    const controller = new AbortController();
    const waiting = clock.until(1000, controller.signal);
    controller.abort();
    await waiting;
    await clock.until(1000, AbortSignal.abort());
    await clock.until(0);
    expect(clock.now()).toBe(0);
  });

  test("refuses to be advanced by no duration", async () => {
    await expect(virtualClock().advance("a bit" as never)).rejects.toThrow(/^advance: expected/);
  });
});
