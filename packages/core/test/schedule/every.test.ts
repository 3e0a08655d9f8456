import { describe, expect, test } from "vitest";
import type { Duration } from "../../src/duration.ts";
import { every } from "../../src/schedule/every.ts";
import { firstRuns } from "./runs.ts";

describe("every", () => {
  test("runs at the multiples of the interval since the epoch", () => {
    expect(firstRuns(every("15m"), "2026-01-01T10:07:00Z", 3)).toEqual([
      "2026-01-01T10:15:00",
      "2026-01-01T10:30:00",
      "2026-01-01T10:45:00",
    ]);
    expect(every("7s").next(new Date(7000))).toEqual(new Date(14_000));
    expect(every(1).next(new Date(7000))).toEqual(new Date(7001));
  });

  test("runs before the epoch too", () => {
    expect(every("1h").next(new Date(-1))).toEqual(new Date(0));
    expect(every("1h").next(new Date(-3_600_001))).toEqual(new Date(-3_600_000));
  });

  test("shows the interval as it was given", () => {
    expect([every("90s").expression, every(250).expression]).toEqual(["90s", "250ms"]);
  });

  test("has no next run after the last instant there is", () => {
    expect(every("1d").next(new Date(8.64e15))).toBeUndefined();
  });

  test.each<unknown>([0, "0s", "0.4ms"])("refuses %j, which is no time at all", (interval) => {
    expect(() => every(interval as Duration)).toThrow(/^every: expected a duration of at least 1 ms, got /);
  });

  test.each<unknown>(["10 seconds", -1, undefined])("refuses %j, which is no duration", (interval) => {
    expect(() => every(interval as Duration)).toThrow(expect.objectContaining({ code: "TASKQ_OPTION" }));
  });

  test("refuses to go on after an invalid Date", () => {
    expect(() => every("1s").next(new Date(Number.NaN))).toThrow(/^after: expected a valid Date/);
  });
});
