import { describe, expect, test } from "vitest";
import { cron } from "../../src/schedule/cron.ts";
import type { CronFields } from "../../src/schedule/cron-fields.ts";
import { firstRuns } from "./runs.ts";

describe("a cron expression in UTC", () => {
  // 2026-01-01 is a Thursday.
  test.each<[string, string[]]>([
    ["*/20 * * * *", ["01-01T00:20:00", "01-01T00:40:00", "01-01T01:00:00"]],
    ["5-10/5,50 3 * * *", ["01-01T03:05:00", "01-01T03:10:00", "01-01T03:50:00"]],
    ["*/10 0 9 * * 1-5", ["01-01T09:00:00", "01-01T09:00:10", "01-01T09:00:20"]],
    ["0 0 * * 5-7", ["01-02T00:00:00", "01-03T00:00:00", "01-04T00:00:00"]],
    ["0 0 * * fri-sun", ["01-02T00:00:00", "01-03T00:00:00", "01-04T00:00:00"]],
    ["0 0 * * 0,7", ["01-04T00:00:00", "01-11T00:00:00", "01-18T00:00:00"]],
    ["0 0 * * sun-tue", ["01-04T00:00:00", "01-05T00:00:00", "01-06T00:00:00"]],
    ["0 0 1 FEB,Apr-may *", ["02-01T00:00:00", "04-01T00:00:00", "05-01T00:00:00"]],
    ["7,7,5-8 * * * *", ["01-01T00:05:00", "01-01T00:06:00", "01-01T00:07:00"]],
    ["  00\t03  * * * ", ["01-01T03:00:00", "01-02T03:00:00", "01-03T03:00:00"]],
    ["0 0 31 * *", ["01-31T00:00:00", "03-31T00:00:00", "05-31T00:00:00"]],
    ["@yearly", ["01-01T00:00:00"]],
    ["@annually", ["01-01T00:00:00"]],
    ["@monthly", ["02-01T00:00:00", "03-01T00:00:00"]],
    ["@weekly", ["01-04T00:00:00", "01-11T00:00:00"]],
    ["@daily", ["01-02T00:00:00", "01-03T00:00:00"]],
    ["@midnight", ["01-02T00:00:00", "01-03T00:00:00"]],
    ["@Hourly", ["01-01T01:00:00", "01-01T02:00:00"]],
  ])("%s", (expression, expected) => {
    const schedule = cron(expression);
    expect(schedule.expression).toBe(expression);
    const runs = firstRuns(schedule, "2026-01-01T00:00:00Z", expected.length);
    expect(runs.map((run) => run.slice(5))).toEqual(expected);
  });

  test("finds leap days, also over a century without one", () => {
    expect(firstRuns(cron("0 0 29 2 *"), "2090-01-01T00:00:00Z", 3)).toEqual([
      "2092-02-29T00:00:00",
      "2096-02-29T00:00:00",
      "2104-02-29T00:00:00",
    ]);
  });

  test("answers an instant after the one given, which may be within a second", () => {
    const schedule = cron("* * * * * *");
    expect(schedule.next(new Date(1_000_000_000_999))).toEqual(new Date(1_000_000_001_000));
    expect(schedule.next(new Date(1_000_000_001_000))).toEqual(new Date(1_000_000_002_000));
  });

  test("answers the same when it is asked in any order", () => {
    const schedule = cron("0 12 * * *");
    const ask = (day: number): string | undefined =>
      schedule.next(new Date(Date.UTC(2026, 0, day, 12)))?.toISOString();
    expect([5, 1, 5, 4, 3].map(ask)).toEqual([6, 2, 6, 5, 4].map((day) => `2026-01-0${day}T12:00:00.000Z`));
  });

  test("has no next run after the year 9999", () => {
    expect(cron("@yearly").next(new Date("9999-06-01T00:00:00Z"))).toBeUndefined();
    expect(cron("@daily", { timeZone: "Europe/Paris" }).next(new Date(8.64e15))).toBeUndefined();
  });

  test.each([new Date(Number.NaN), undefined, 0, new Date("1500-01-01T00:00:00Z")])(
    "refuses to go on after %o",
    (after) => {
      expect(() => cron("@daily").next(after as Date)).toThrow(
        expect.objectContaining({ code: "TASKQ_OPTION" }),
      );
    },
  );
});

describe("day and weekday, by the Vixie rule", () => {
  test("either will do when both are restricted", () => {
    expect(firstRuns(cron("0 0 13 * fri"), "2026-02-01T00:00:00Z", 4)).toEqual([
      "2026-02-06T00:00:00",
      "2026-02-13T00:00:00",
      "2026-02-20T00:00:00",
      "2026-02-27T00:00:00",
    ]);
    expect(firstRuns(cron("0 0 13 3 mon"), "2026-03-08T00:00:00Z", 3)).toEqual([
      "2026-03-09T00:00:00",
      "2026-03-13T00:00:00",
      "2026-03-16T00:00:00",
    ]);
  });

  test("a range over all values is a restriction, so that the other field does not count", () => {
    expect(firstRuns(cron("0 0 13 * 0-6"), "2026-03-08T00:00:00Z", 2)).toEqual([
      "2026-03-09T00:00:00",
      "2026-03-10T00:00:00",
    ]);
  });

  test("both must fit when one begins with a star, be it with a step", () => {
    // Uneven days that are Mondays.
    expect(firstRuns(cron("30 6 */2 * mon"), "2026-03-08T00:00:00Z", 3)).toEqual([
      "2026-03-09T06:30:00",
      "2026-03-23T06:30:00",
      "2026-04-13T06:30:00",
    ]);
    // The 13th on a Sunday, Tuesday, Thursday or Saturday.
    expect(firstRuns(cron("0 0 13 * */2"), "2026-03-01T00:00:00Z", 3)).toEqual([
      "2026-06-13T00:00:00",
      "2026-08-13T00:00:00",
      "2026-09-13T00:00:00",
    ]);
  });

  test("weekdays alone will do where the day never comes", () => {
    expect(firstRuns(cron("0 0 31 2 mon"), "2026-01-01T00:00:00Z", 1)).toEqual(["2026-02-02T00:00:00"]);
  });
});

describe("a cron object", () => {
  test.each<[CronFields, string]>([
    [{ minute: 0, hour: 3 }, "0 3 * * *"],
    [{ hour: 3 }, "0 3 * * *"],
    [{ second: 30 }, "30 * * * * *"],
    [{ minute: "*/5" }, "*/5 * * * *"],
    [{ minute: 20, day: 1 }, "20 * 1 * *"],
    [{ day: 15 }, "0 0 15 * *"],
    [{ month: "jan" }, "0 0 1 jan *"],
    [{ weekday: "mon" }, "0 0 * * mon"],
    [{ month: 6, weekday: 1 }, "0 0 * 6 1"],
    [{ hour: [9, 17], weekday: "mon-fri" }, "0 9,17 * * mon-fri"],
    [{ second: [0, "30-40/5"], hour: 1 }, "0,30-40/5 * 1 * * *"],
    [{ hour: 3, minute: undefined } as unknown as CronFields, "0 3 * * *"],
  ])("%j is %s", (fields, expression) => {
    expect(cron(fields).expression).toBe(expression);
  });
});

describe("a refused expression", () => {
  const fieldCount = "cron: expected 5 fields (minute hour day month weekday) or 6 (second first)";
  test.each<[unknown, string]>([
    ["", `${fieldCount}, got 0 in ''`],
    ["   ", `${fieldCount}, got 0 in '   '`],
    ["* * *", `${fieldCount}, got 3 in '* * *'`],
    ["* * * * * * *", `${fieldCount}, got 7 in '* * * * * * *'`],
    ["H * * * *", "cron 'H * * * *': minute: expected a number from 0 to 59, got 'H'"],
    ["5 25 * * *", "cron '5 25 * * *': hour: expected a number from 0 to 23, got '25'"],
    ["60 * * * *", "cron '60 * * * *': minute: expected a number from 0 to 59, got '60'"],
    ["0 0 0 * *", "cron '0 0 0 * *': day: expected a number from 1 to 31, got '0'"],
    [
      "0 0 * * 8",
      "cron '0 0 * * 8': weekday: expected a number from 0 to 7 " +
        "or a name (sun, mon, tue, wed, thu, fri, sat), got '8'",
    ],
    [
      "0 0 1 january *",
      "cron '0 0 1 january *': month: expected a number from 1 to 12 or a name " +
        "(jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec), got 'january'",
    ],
    ["0 0 31 2 *", "cron '0 0 31 2 *': expected a date that exists, got day '31' in month '2'"],
    ["0 0 31 4,6 */2", "cron '0 0 31 4,6 */2': expected a date that exists, got day '31' in month '4,6'"],
    [
      "0 22-2 * * *",
      "cron '0 22-2 * * *': hour: expected a range that ascends " +
        "(write two, as in '22-23,0-5'), got '22-2'",
    ],
    [
      "0 0 * * fri-mon",
      "cron '0 0 * * fri-mon': weekday: expected a range that ascends " +
        "(write two, as in '22-23,0-5'), got 'fri-mon'",
    ],
    [
      "5/15 * * * *",
      "cron '5/15 * * * *': minute: expected a step after * or a range ('5-59/15'), got '5/15'",
    ],
    ["*/0 * * * *", "cron '*/0 * * * *': minute: expected a step from 1 to 60, got '*/0'"],
    ["*/90 * * * *", "cron '*/90 * * * *': minute: expected a step from 1 to 60, got '*/90'"],
    [
      "@reboot",
      "cron: expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, " +
        "got '@reboot'",
    ],
    [{}, "cron: expected at least one of second, minute, hour, day, month, weekday, got {}"],
    [
      { minutes: 0 },
      "cron: unknown option 'minutes'; known are 'second', 'minute', 'hour', 'day', 'month', 'weekday'",
    ],
    [{ minute: [] }, "cron: minute: expected a number, a text or a list of such, got []"],
    [{ minute: null }, "cron: minute: expected a number, a text or a list of such, got null"],
    [
      { minute: "1 2" },
      "cron: minute: expected an integer, or a text without spaces such as '1-5', got '1 2'",
    ],
    [{ minute: [1.5] }, "cron: minute: expected an integer, or a text without spaces such as '1-5', got 1.5"],
    [{ hour: 24 }, "cron '0 24 * * *': hour: expected a number from 0 to 23, got '24'"],
    [
      ["0", "3"],
      "cron: expected an object with 'second', 'minute', 'hour', 'day', 'month', 'weekday', got [\"0\",\"3\"]",
    ],
    [5, "cron: expected an expression such as '0 3 * * *', or an object, got 5"],
    [null, "cron: expected an expression such as '0 3 * * *', or an object, got null"],
  ])("%j says what was expected and what came", (expression, message) => {
    expect(() => cron(expression as string)).toThrow(
      expect.objectContaining({ code: "TASKQ_CRON", message }),
    );
  });

  test.each([
    "15W * * * *",
    "0 0 L * *",
    "0 0 ? * *",
    "0 0 * * 1#2",
    "0 0 * * 5L",
    "1,,2 * * * *",
    ",1 * * * *",
    "1, * * * *",
    "-5 * * * *",
    "1-2-3 * * * *",
    "1-5/ * * * *",
    "*/2/2 * * * *",
    "** * * * *",
    "*-5 * * * *",
    "1.5 * * * *",
    "0x5 * * * *",
    "1e1 * * * *",
    "+5 * * * *",
    "jan * * * *",
    "0 0 1 mon *",
    "１ * * * *",
    `${"0,".repeat(600)}0 * * * *`,
  ])("%s is none of what is documented", (expression) => {
    expect(() => cron(expression)).toThrow(expect.objectContaining({ code: "TASKQ_CRON" }));
  });

  test.each(["Mars/Olympus", "", " UTC", "+02:00", 5, null])("the zone %j is refused at once", (timeZone) => {
    expect(() => cron("@daily", { timeZone: timeZone as string })).toThrow(
      expect.objectContaining({
        code: "TASKQ_CRON",
        message: expect.stringMatching(/^cron timeZone: expected an IANA zone .*, got /),
      }),
    );
  });

  test("an unknown option is refused", () => {
    expect(() => cron("@daily", { timezone: "UTC" } as never)).toThrow(
      "cron: unknown option 'timezone'; known are 'timeZone'",
    );
  });
});
