import { describe, expect, test } from "vitest";
import { shown } from "../../src/options.ts";
import { cron } from "../../src/schedule/cron.ts";
import { every } from "../../src/schedule/every.ts";
import { scheduleData, scheduleFromData } from "../../src/schedule/schedule-data.ts";
import { firstRuns } from "./runs.ts";

describe("the data under a schedule", () => {
  test.each([
    cron("30 2 * * *", { timeZone: "Europe/Paris" }),
    cron("@daily"),
    cron({ hour: [9, 17], weekday: "mon-fri" }, { timeZone: "Asia/Tokyo" }),
    every("90s"),
    every(250),
  ])("survives JSON: $expression", (schedule) => {
    const data = scheduleData(schedule);
    const again = scheduleFromData(JSON.parse(JSON.stringify(data)));
    expect(scheduleData(again)).toEqual(data);
    expect(again.expression).toBe(schedule.expression);
    const from = "2026-03-27T12:00:00Z";
    expect(firstRuns(again, from, 5)).toEqual(firstRuns(schedule, from, 5));
  });

  test("names the zone, also the default", () => {
    expect(cron("@daily", { timeZone: "Asia/Tokyo" }).timeZone).toBe("Asia/Tokyo");
    expect(cron("@daily").timeZone).toBe("UTC");
    expect(every("1h")).not.toHaveProperty("timeZone");
    expect(scheduleData(cron("@daily"))).toEqual({
      kind: "cron",
      expression: "@daily",
      timeZone: "UTC",
    });
  });

  test.each([{ expression: "@daily", next: () => undefined }, null, "@daily"])(
    "there is none under %o, which neither cron nor every made",
    (schedule) => {
      expect(() => scheduleData(schedule as never)).toThrow(
        expect.objectContaining({
          code: "TASKQ_OPTION",
          message: `schedule: expected what cron or every made, because it is stored, got ${shown(schedule)}`,
        }),
      );
    },
  );

  test("is checked when a schedule is made of it again", () => {
    const data = { kind: "cron", expression: "@daily", timeZone: "Mars/Olympus" } as const;
    expect(() => scheduleFromData(data)).toThrow(expect.objectContaining({ code: "TASKQ_CRON" }));
    expect(() => scheduleFromData({ kind: "every", expression: "soon" })).toThrow(/^every: expected/);
    expect(() => scheduleFromData({ kind: "lunar" } as never)).toThrow(
      "stored schedule: expected a known kind of schedule, got 'lunar'",
    );
  });

  test("does not keep anyone from calling next by itself", () => {
    const { next } = cron("@hourly");
    expect(next(new Date(0))).toEqual(new Date(3_600_000));
  });
});
