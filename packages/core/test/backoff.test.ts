import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  backoffData,
  backoffFromData,
  exponential,
  fixed,
  linear,
  retryPause,
  type BackoffPolicy,
} from "../src/backoff.ts";

const error = new Error("busy");
const pauses = (policy: BackoffPolicy, count: number): unknown[] =>
  Array.from({ length: count }, (_, index) => policy({ attempt: index + 1, error }));

describe("a policy without jitter", () => {
  test("fixed pauses the same each time", () => {
    expect(pauses(fixed("5s"), 3)).toEqual([5000, 5000, 5000]);
  });

  test("linear adds the step up to max", () => {
    expect(pauses(linear({ base: "10s", step: "5s", max: "22s" }), 5)).toEqual([
      10_000, 15_000, 20_000, 22_000, 22_000,
    ]);
  });

  test("linear adds its base when no step is given", () => {
    expect(pauses(linear(), 3)).toEqual([1000, 2000, 3000]);
  });

  test("exponential multiplies by the factor up to max", () => {
    expect(pauses(exponential({ base: "2s", factor: 3, max: "1m" }), 5)).toEqual([
      2000, 6000, 18_000, 54_000, 60_000,
    ]);
  });

  test("exponential begins with a second, doubles it and ends with an hour", () => {
    expect(pauses(exponential(), 3)).toEqual([1000, 2000, 4000]);
    expect(exponential()({ attempt: 5000, error })).toBe(3_600_000);
    expect(exponential({ base: 0 })({ attempt: 5000, error })).toBe(0);
  });

  test("the n-th exponential pause is base × factor^(n−1), never more than max", () => {
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(10_000_000),
        fc.integer({ min: 1, max: 10 }),
        (base, factor, max, attempt) => {
          const expected = Math.min(base * factor ** (attempt - 1), max);
          expect(exponential({ base, factor, max })({ attempt, error })).toBe(expected);
        },
      ),
      { seed: 1 },
    );
  });
});

const paused = (jitter: "equal" | "full", random: number): unknown =>
  backoffFromData(
    backoffData(exponential({ base: 1000, jitter })),
    () => random,
  )({
    attempt: 2,
    error,
  });

describe("jitter", () => {
  test("full is anywhere between 0 and the pause", () => {
    expect([0, 0.25, 0.9999].map((random) => paused("full", random))).toEqual([0, 500, 2000]);
  });

  test("equal is between half of the pause and all of it", () => {
    expect([0, 0.5, 0.9999].map((random) => paused("equal", random))).toEqual([1000, 1500, 2000]);
  });

  test("uses chance when nothing else is given", () => {
    const policy = fixed("1h", { jitter: "full" });
    expect(new Set(pauses(policy, 50)).size).toBeGreaterThan(1);
  });
});

describe("the data under a policy", () => {
  test.each([
    fixed("5s", { jitter: "equal" }),
    linear({ base: 100, step: 50, max: "1m" }),
    exponential({ base: "2s", factor: 1.5, max: "5m", jitter: "none" }),
  ])("survives JSON: %o", (policy) => {
    const data = backoffData(policy);
    const again = backoffFromData(JSON.parse(JSON.stringify(data)));
    expect(again.kind).toBe(policy.kind);
    expect(backoffData(again)).toEqual(data);
  });

  test("is in milliseconds", () => {
    expect(backoffData(exponential({ base: "2s", factor: 3, max: "5m", jitter: "full" }))).toEqual({
      kind: "exponential",
      base: 2000,
      factor: 3,
      max: 300_000,
      jitter: "full",
    });
  });

  test("of a duration is a fixed pause", () => {
    expect(backoffData("3s")).toEqual({ kind: "fixed", base: 3000, jitter: "none" });
  });

  test("there is none under a bare function", () => {
    const bare = (() => 5) as unknown as BackoffPolicy;
    expect(() => backoffData(bare)).toThrow(
      expect.objectContaining({ code: "TASKQ_OPTION", message: expect.stringContaining("bare") }),
    );
  });

  test("of an unknown kind is refused", () => {
    expect(() => backoffFromData({ kind: "cubic" } as never)).toThrow(
      "stored backoff: expected a known kind of backoff, got 'cubic'",
    );
  });
});

describe("the pause before a retry", () => {
  test("comes from a duration, a policy, a function, or is none", () => {
    const failure = { attempt: 3, error };
    expect(retryPause(undefined, failure)).toBe(0);
    expect(retryPause("2s", failure)).toBe(2000);
    expect(retryPause(exponential(), failure)).toBe(4000);
    expect(retryPause(({ attempt }) => `${attempt}m`, failure)).toBe(180_000);
  });

  test("is refused when a function answers no duration", () => {
    expect(() => retryPause(() => Number.NaN, { attempt: 1, error })).toThrow(
      /^what the backoff answered: expected a duration/,
    );
  });
});

describe("bad options", () => {
  test.each<[() => unknown, string]>([
    [
      () => exponential({ jitter: "some" as never }),
      "exponential jitter: expected 'none' or 'equal' or 'full', got 'some'",
    ],
    [
      () => exponential({ factors: 2 } as never),
      "exponential: unknown option 'factors'; known are 'base', 'factor', 'max', 'jitter'",
    ],
    [() => exponential({ factor: 0.5 }), "exponential factor: expected a number of at least 1, got 0.5"],
    [() => linear({ step: -1 }), "linear step: expected a duration such as 250, '30s' or '1.5h', got -1"],
    [() => linear({ base: "2h" }), "linear: a base longer than '1h' needs a max"],
    [
      () => fixed(undefined as never),
      "fixed delay: expected a duration such as 250, '30s' or '1.5h', got undefined",
    ],
  ])("are refused: %s", (make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "TASKQ_OPTION", message }));
  });
});
