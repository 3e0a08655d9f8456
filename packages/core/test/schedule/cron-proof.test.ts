import { describe, expect, test } from "vitest";
import { cases } from "../cron-proof/cases.ts";
import { proveZone, type ProofOptions } from "../cron-proof/prove-zone.ts";
import { runsOfWalk, runsOfYears, walk } from "../cron-proof/walk.ts";

/** Zones whose clocks did something rare, and the years in which they did. */
const rare: readonly (readonly [timeZone: string, years: ProofOptions["years"], what: string])[] = [
  ["Pacific/Apia", [2010, 2013], "left out a whole day"],
  ["Australia/Lord_Howe", [2023, 2026], "change by half an hour"],
  ["Asia/Kathmandu", [2024, 2025], "are 5:45 ahead of UTC"],
  ["Pacific/Chatham", [2024, 2026], "are 12:45 ahead of UTC and change by an hour"],
  ["Australia/Eucla", [2006, 2009], "were 8:45 ahead of UTC and changed by an hour"],
  ["America/Caracas", [2007, 2017], "moved by half an hour for good, there and back"],
  ["Asia/Pyongyang", [2015, 2019], "were set back and forth by half an hour"],
  ["Antarctica/Troll", [2023, 2025], "change by two hours"],
  ["Africa/Casablanca", [2008, 2013], "changed up to four times a year, at midnight UTC too"],
  ["America/Sao_Paulo", [2016, 2020], "changed at midnight"],
  ["Europe/Dublin", [2024, 2026], "have their standard time in summer"],
  ["America/St_Johns", [2009, 2012], "changed a minute after midnight"],
];

describe("a sample of the cron proof", () => {
  test.each(rare)(
    "cron agrees with a walk of the clocks of %s in %j, which %s",
    (timeZone, years) => {
      const report = proveZone(timeZone, { years, weeks: 1, changes: 2 });
      expect(report.differences).toEqual([]);
      expect(report.runs).toBeGreaterThan(5_000);
    },
    60_000,
  );

  test("it has at least forty expressions, of both rules, each only once", () => {
    expect(new Set(cases.map(({ expression }) => expression)).size).toBe(cases.length);
    expect(cases.filter(({ rule }) => rule === "fixed").length).toBeGreaterThanOrEqual(20);
    expect(cases.filter(({ rule }) => rule === "elapsed").length).toBeGreaterThanOrEqual(20);
  });
});

describe("the walk that cron is compared with", () => {
  const hour = 3_600_000;
  const day = Date.UTC(2026, 0, 1);
  const change = day + 2 * hour;
  /** The hours after midnight at which an expression runs, by a clock that is set at two o'clock. */
  function hoursOf(expression: string, set: number): number[] {
    const each = cases.find((one) => one.expression === expression);
    if (each === undefined) throw new Error(`there is no case '${expression}'`);
    const clock = (instant: number): number => instant + (instant >= change ? set : 0);
    const walked = runsOfWalk(each, walk(clock, day, day + 6 * hour));
    const start = { instant: day, before: 0, after: 0 };
    const byYears = runsOfYears(each, [{ instant: change, before: 0, after: set }], start, day + 7 * hour);
    expect(byYears.filter((run) => run <= day + 6 * hour)).toEqual(walked);
    return walked.map((run) => (run - day) / hour);
  }

  test("runs what is skipped at the jump, once, unless it follows elapsed time", () => {
    expect(hoursOf("30 2 * * *", hour)).toEqual([2]);
    expect(hoursOf("0,15,30,45 0-3 * * *", hour)).toEqual([
      0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75,
    ]);
    expect(hoursOf("5,*/20 2 * * *", hour)).toEqual([]);
    expect(hoursOf("*/20 30 2 * * *", hour)).toEqual([2]);
  });

  test("runs what is repeated the first time, unless it follows elapsed time", () => {
    expect(hoursOf("30 1 * * *", -hour)).toEqual([1.5]);
    expect(hoursOf("0 2 * * *", -hour)).toEqual([3]);
    expect(hoursOf("0 * * * *", -hour)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
