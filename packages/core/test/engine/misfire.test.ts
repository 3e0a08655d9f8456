import { describe, expect, test } from "vitest";
import { dueInstants, MISFIRE_TOLERANCE } from "../../src/engine/misfire.js";
import { cron } from "../../src/schedule/cron.js";
import { every } from "../../src/schedule/every.js";

const minute = 60_000;
const start = Date.parse("2026-01-01T00:00:00Z");
const minutely = every("1m");

describe("which instants of a schedule run", () => {
  test("none before the next instant", () => {
    expect(dueInstants(minutely, start, start + minute - 1, "once")).toEqual({ latest: undefined, run: [] });
  });

  test("the instant itself, punctually", () => {
    for (const misfire of ["skip", "once", { all: 5 }] as const) {
      expect(dueInstants(minutely, start, start + minute, misfire).run).toEqual([start + minute]);
    }
  });

  test("of several missed, skip runs none unless the last is fresh", () => {
    const now = start + 10 * minute + MISFIRE_TOLERANCE + 1;
    expect(dueInstants(minutely, start, now, "skip")).toEqual({ latest: start + 10 * minute, run: [] });
    expect(dueInstants(minutely, start, start + 10 * minute + 5, "skip").run).toEqual([start + 10 * minute]);
  });

  test("of several missed, once runs the latest", () => {
    expect(dueInstants(minutely, start, start + 10.5 * minute, "once").run).toEqual([start + 10 * minute]);
  });

  test("of several missed, all runs the latest so many, in order", () => {
    expect(dueInstants(minutely, start, start + 10.5 * minute, { all: 3 }).run).toEqual([
      start + 8 * minute,
      start + 9 * minute,
      start + 10 * minute,
    ]);
    expect(dueInstants(minutely, start, start + 2 * minute, { all: 3 }).run).toEqual([
      start + minute,
      start + 2 * minute,
    ]);
  });

  test("years of missed minutes are answered without being walked through", () => {
    const began = performance.now();
    const now = start + 5 * 366 * 24 * 60 * minute;
    expect(dueInstants(minutely, start, now, "once").run).toEqual([now]);
    expect(dueInstants(cron("* * * * *"), start, now, { all: 10 }).run).toHaveLength(10);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test("a rule that fires once a year is found years later", () => {
    const yearly = cron("0 0 1 1 *");
    const now = Date.parse("2029-06-01T00:00:00Z");
    expect(dueInstants(yearly, start, now, { all: 2 }).run.map((at) => new Date(at).toISOString())).toEqual([
      "2028-01-01T00:00:00.000Z",
      "2029-01-01T00:00:00.000Z",
    ]);
  });
});
