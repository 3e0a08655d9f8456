import { describe, expect, test } from "vitest";
import { cron } from "../../src/schedule/cron.ts";
import { firstRuns } from "./runs.ts";

const newYork = "America/New_York"; // 2026-03-08 02:00 → 03:00 (07:00Z); 2026-11-01 02:00 → 01:00 (06:00Z)
const lordHowe = "Australia/Lord_Howe"; // 2026-10-04 02:00 → 02:30 (15:30Z the day before); 2026-04-05 02:00 → 01:30 (15:00Z the day before)
const cairo = "Africa/Cairo"; // 2026-04-24 00:00 → 01:00 (22:00Z the day before)

describe("when clocks change", () => {
  test.each<[string, string, string, string, string[]]>([
    [
      "a skipped time runs at the jump",
      "30 2 * * *",
      newYork,
      "2026-03-07T12:00:00Z",
      ["2026-03-08T07:00:00", "2026-03-09T06:30:00"],
    ],
    [
      "several skipped times run once",
      "15,45 2 * * *",
      newYork,
      "2026-03-08T05:00:00Z",
      ["2026-03-08T07:00:00", "2026-03-09T06:15:00", "2026-03-09T06:45:00"],
    ],
    [
      "a skipped time and the time of the jump run once",
      "0 2,3 * * *",
      newYork,
      "2026-03-08T05:00:00Z",
      ["2026-03-08T07:00:00", "2026-03-09T06:00:00"],
    ],
    [
      "a skipped minute of every second runs once",
      "* 30 2 * * *",
      newYork,
      "2026-03-08T05:00:00Z",
      ["2026-03-08T07:00:00", "2026-03-09T06:30:00"],
    ],
    [
      "a midnight that is skipped runs at one o'clock",
      "0 0 * * *",
      cairo,
      "2026-04-23T12:00:00Z",
      ["2026-04-23T22:00:00", "2026-04-24T21:00:00"],
    ],
    [
      "a jump of half an hour counts too",
      "15 2 * * *",
      lordHowe,
      "2026-10-03T12:00:00Z",
      ["2026-10-03T15:30:00", "2026-10-04T15:15:00"],
    ],
    [
      "a date that was skipped runs as the next one begins",
      "0 8,20 30 12 *",
      "Pacific/Apia",
      "2011-12-29T00:00:00Z",
      ["2011-12-30T10:00:00", "2012-12-29T18:00:00"],
    ],
    [
      "a star within a skipped hour does not run",
      "*/15 2 * * *",
      newYork,
      "2026-03-08T05:00:00Z",
      ["2026-03-09T06:00:00", "2026-03-09T06:15:00"],
    ],
    [
      "a star goes on by elapsed time over a jump",
      "30 * * * *",
      newYork,
      "2026-03-08T06:00:00Z",
      ["2026-03-08T06:30:00", "2026-03-08T07:30:00"],
    ],
    [
      "a repeated time runs the first time only",
      "30 1 * * *",
      newYork,
      "2026-10-31T12:00:00Z",
      ["2026-11-01T05:30:00", "2026-11-02T06:30:00"],
    ],
    [
      "a repeated time is not run again after a restart in between",
      "30 1 * * *",
      newYork,
      "2026-11-01T06:10:00Z",
      ["2026-11-02T06:30:00"],
    ],
    [
      "a repeated half hour runs once",
      "45 1 * * *",
      lordHowe,
      "2026-04-04T12:00:00Z",
      ["2026-04-04T14:45:00", "2026-04-05T15:15:00"],
    ],
    [
      "times right after a repeated hour are not lost",
      "0,30 1,2 * * *",
      newYork,
      "2026-11-01T05:30:00Z",
      ["2026-11-01T07:00:00", "2026-11-01T07:30:00", "2026-11-02T06:00:00"],
    ],
    [
      "a star runs in both of a repeated hour",
      "*/30 1 * * *",
      newYork,
      "2026-11-01T04:00:00Z",
      [
        "2026-11-01T05:00:00",
        "2026-11-01T05:30:00",
        "2026-11-01T06:00:00",
        "2026-11-01T06:30:00",
        "2026-11-02T06:00:00",
      ],
    ],
    [
      "a list of all hours is a star",
      "0 0-23 * * *",
      newYork,
      "2026-11-01T04:30:00Z",
      ["2026-11-01T05:00:00", "2026-11-01T06:00:00", "2026-11-01T07:00:00"],
    ],
    [
      "hours follow the half hour of the clocks",
      "0 * * * *",
      lordHowe,
      "2026-04-04T14:00:00Z",
      ["2026-04-04T15:30:00", "2026-04-04T16:30:00"],
    ],
    [
      "rare dates are found over many changes",
      "0 0 29 2 *",
      "Europe/Paris",
      "2026-03-08T05:00:00Z",
      ["2028-02-28T23:00:00", "2032-02-28T23:00:00"],
    ],
    [
      "a jump at midnight UTC belongs to the day that it begins",
      "30 0 * * *",
      "Africa/Casablanca",
      "2008-05-31T12:00:00Z",
      ["2008-06-01T00:00:00", "2008-06-01T23:30:00"],
    ],
    [
      "a star in a repeated hour is not lost, though the next such date is a year away",
      "*/30 1 1 11 *",
      newYork,
      "2026-11-01T05:30:00Z",
      ["2026-11-01T06:00:00", "2026-11-01T06:30:00", "2027-11-01T05:00:00"],
    ],
  ])("%s: '%s' in %s", (_title, expression, timeZone, after, expected) => {
    const runs = firstRuns(cron(expression, { timeZone }), after, expected.length);
    expect(runs).toEqual(expected);
  });
});
