import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { dueInstant, milliseconds, type Duration, type When } from "../src/duration.ts";

describe("a duration", () => {
  test.each<[Duration, number]>([
    [0, 0],
    [250, 250],
    [1.6, 2],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1.5h", 5_400_000],
    ["7d", 604_800_000],
    ["0s", 0],
    ["0.1ms", 0],
    ["36500d", 3_153_600_000_000],
  ])("%j is %d ms", (duration, expected) => {
    expect(milliseconds(duration, "timeout")).toBe(expected);
  });

  test.each<[unknown, string]>([
    ["10 minutes", "'10 minutes'"],
    ["", "''"],
    ["5", "'5'"],
    ["-5s", "'-5s'"],
    ["1e3s", "'1e3s'"],
    [".5s", "'.5s'"],
    ["5.s", "'5.s'"],
    [" 5s", "' 5s'"],
    ["5s\n", String.raw`'5s\n'`],
    ["5S", "'5S'"],
    ["1h30m", "'1h30m'"],
    [-1, "-1"],
    [Number.NaN, "NaN"],
    [Infinity, "Infinity"],
    [null, "null"],
    [undefined, "undefined"],
    [5n, "5n"],
    [{ s: 1 }, '{"s":1}'],
  ])("%o is refused, and the error says what came", (duration, came) => {
    expect(() => milliseconds(duration as Duration, "retry delay")).toThrow(
      expect.objectContaining({
        code: "TASKQ_OPTION",
        message: `retry delay: expected a duration such as 250, '30s' or '1.5h', got ${came}`,
      }),
    );
  });

  test.each<Duration>(["36501d", 3_153_600_000_001, `${"9".repeat(400)}d` as Duration])(
    "%j is too long",
    (duration) => {
      expect(() => milliseconds(duration, "timeout")).toThrow(/^timeout: expected a duration/);
    },
  );
});

describe("a due instant", () => {
  const now = Date.UTC(2026, 0, 1);

  test("is now when nothing is said", () => {
    expect(dueInstant({}, now, "enqueue")).toBe(now);
  });

  test("is the delay later", () => {
    expect(dueInstant({ delay: "10m" }, now, "enqueue")).toBe(now + 600_000);
  });

  test("is the Date, even in the past", () => {
    expect(dueInstant({ at: new Date(5) }, now, "enqueue")).toBe(5);
    const ofAnotherRealm = runInNewContext("new Date(5)") as Date;
    expect(dueInstant({ at: ofAnotherRealm }, now, "enqueue")).toBe(5);
  });

  test.each<[unknown, string]>([
    [{ delay: 1, at: new Date(5) }, "enqueue: expected either delay or at, got both"],
    [{ at: new Date(Number.NaN) }, "enqueue at: expected a valid Date, got an invalid Date"],
    [{ at: "2026-01-01T00:00:00Z" }, "enqueue at: expected a valid Date, got '2026-01-01T00:00:00Z'"],
    [{ at: null }, "enqueue at: expected a valid Date, got null"],
    [{ delay: "soon" }, "enqueue delay: expected a duration such as 250, '30s' or '1.5h', got 'soon'"],
  ])("%j is refused", (when, message) => {
    expect(() => dueInstant(when as When, now, "enqueue")).toThrow(
      expect.objectContaining({ code: "TASKQ_OPTION", message }),
    );
  });
});
