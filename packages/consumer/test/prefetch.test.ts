import { describe, expect, test } from "vitest";
import { AdaptivePrefetch, FixedPrefetch, MOST_AHEAD, PATIENCE } from "../src/prefetch.js";

function afterHandlers(durationMs: number, count = 100): AdaptivePrefetch {
  const prefetch = new AdaptivePrefetch();
  for (let index = 0; index < count; index += 1) prefetch.ended(durationMs);
  return prefetch;
}

/** What it holds once it has grown as far as it does. */
function grown(prefetch: AdaptivePrefetch, workers: number): number {
  let held = 0;
  for (let claims = 0; claims < 20; claims += 1) held = prefetch.next(workers);
  return held;
}

describe("adaptive prefetch", () => {
  test("nothing is claimed ahead before a handler has ended", () => {
    expect(new AdaptivePrefetch().next(10)).toBe(0);
  });

  test("some milliseconds of work are held, by the mean of handler times", () => {
    expect(grown(afterHandlers(1), 1)).toBe(7);
    expect(grown(afterHandlers(1), 10)).toBe(75);
    expect(grown(afterHandlers(0.1), 1)).toBe(75);
  });

  test("nothing is held ahead of handlers that take longer than what is held", () => {
    expect(grown(afterHandlers(20), 1)).toBe(0);
    expect(grown(afterHandlers(1_000), 10)).toBe(0);
  });

  test("it at most doubles with each claim", () => {
    const prefetch = afterHandlers(0.001);
    const held = [1, 2, 3, 4, 5].map(() => prefetch.next(1));
    expect(held).toEqual([1, 2, 4, 8, 16]);
  });

  test("it is capped however fast handlers are", () => {
    expect(grown(afterHandlers(0), 50)).toBe(MOST_AHEAD);
  });

  test("one long handler shrinks it, and short ones let it grow again", () => {
    const prefetch = afterHandlers(1);
    grown(prefetch, 10);
    prefetch.ended(10_000);
    expect(prefetch.next(10)).toBe(0);
    for (let index = 0; index < 200; index += 1) prefetch.ended(1);
    expect(grown(prefetch, 10)).toBe(74);
  });

  test("having had to hand back shrinks it at once", () => {
    const prefetch = afterHandlers(0.1);
    grown(prefetch, 10);
    prefetch.stalled();
    expect(prefetch.next(10)).toBeLessThanOrEqual(1);
  });

  test("a job waits for so long from its claim, whatever ends meanwhile", () => {
    expect(new AdaptivePrefetch().handBackAt(1_000, 1_040)).toBe(1_000 + PATIENCE);
  });
});

describe("fixed prefetch", () => {
  test("it holds as many as it is told", () => {
    const prefetch = new FixedPrefetch(20);
    expect(prefetch.next(1)).toBe(20);
    prefetch.ended(10_000);
    prefetch.stalled();
    expect(prefetch.next(10)).toBe(20);
  });

  test("a job waits for as long as handlers end", () => {
    expect(new FixedPrefetch(20).handBackAt(1_000, 1_040)).toBe(1_040 + PATIENCE);
    expect(new FixedPrefetch(20).handBackAt(1_000, 900)).toBe(1_000 + PATIENCE);
  });
});
