import { refuseUnknown, unexpected } from "../options.js";
import { cronUnitNames, cronUnits, type CronUnitName } from "./cron-units.js";

/** One field: a number, a text as in a cron expression, or a list of such. */
export type CronField = number | string | readonly (number | string)[];

/**
 * A cron expression as an object. Units below the lowest one given are 0, of day and month 1; all others are any:
 * `{ hour: 3 }` is once a day, `{ month: 1 }` once a year.
 */
export interface CronFields {
  readonly second?: CronField;
  readonly minute?: CronField;
  readonly hour?: CronField;
  readonly day?: CronField;
  /** 1–12 or a name. */
  readonly month?: CronField;
  /** 0–7 (both ends Sunday) or a name. */
  readonly weekday?: CronField;
}

/** The expression that says the same; of five fields if the second is 0. @throws `TASKQ_CRON` */
export function expressionOf(fields: CronFields): string {
  refuseUnknown(fields, cronUnitNames, "cron", "TASKQ_CRON");
  const given = cronUnitNames.filter((name) => fields[name] !== undefined);
  if (given.length === 0) {
    throw unexpected("cron", `at least one of ${cronUnitNames.join(", ")}`, fields, "TASKQ_CRON");
  }
  const lowest = Math.min(...given.map((name) => levels[name]));
  const texts = cronUnitNames.map((name) => fieldText(fields[name], name, lowest));
  return (texts[0] === "0" ? texts.slice(1) : texts).join(" ");
}

/** Of day and weekday neither is below the other. */
const levels: Readonly<Record<CronUnitName, number>> = {
  second: 0,
  minute: 1,
  hour: 2,
  day: 3,
  weekday: 3,
  month: 4,
};

function fieldText(field: CronField | undefined, name: CronUnitName, lowest: number): string {
  if (field === undefined) {
    // Any weekday goes with a day of the month that is given or defaulted.
    return levels[name] < lowest && name !== "weekday" ? String(cronUnits[name].min) : "*";
  }
  const items: readonly (number | string)[] =
    typeof field === "string" || typeof field === "number" ? [field] : field;
  if (!Array.isArray(items) || items.length === 0) {
    throw unexpected(`cron: ${name}`, "a number, a text or a list of such", field, "TASKQ_CRON");
  }
  for (const item of items) checkItem(item, name);
  return items.join(",");
}

/** The expression is split at spaces, so that a field must not bring any. */
function checkItem(item: unknown, name: CronUnitName): void {
  if (typeof item === "number" && Number.isInteger(item) && item >= 0) return;
  if (typeof item === "string" && /^\S+$/.test(item)) return;
  throw unexpected(`cron: ${name}`, "an integer, or a text without spaces such as '1-5'", item, "TASKQ_CRON");
}
