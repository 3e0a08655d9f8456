import { unexpected } from "../options.js";
import type { Duration } from "../duration.js";
import { cron } from "./cron.js";
import { every } from "./every.js";
import { dataUnder, type Schedule, type ScheduleData } from "./schedule.js";

/**
 * The data under a schedule, fit for JSON.
 *
 * @throws `TASKQ_OPTION` for what neither `cron` nor `every` made.
 */
export function scheduleData(schedule: Schedule): ScheduleData {
  const data = typeof schedule === "object" && schedule !== null ? dataUnder(schedule) : undefined;
  if (data !== undefined) return data;
  throw unexpected("schedule", "what cron or every made, because it is stored", schedule);
}

/**
 * The schedule that `scheduleData` was taken from.
 *
 * @throws `TASKQ_CRON` `TASKQ_OPTION` for data that no schedule is made of.
 */
export function scheduleFromData(data: ScheduleData): Schedule {
  const { kind } = data;
  switch (kind) {
    case "cron":
      return cron(data.expression, { timeZone: data.timeZone });
    case "every":
      // `every` checks it again.
      return every(data.expression as Duration);
    default:
      throw unexpected("stored schedule", "a known kind of schedule", kind satisfies never);
  }
}
