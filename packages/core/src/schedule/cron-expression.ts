import { TaskqError } from "../errors.js";
import { unexpected } from "../options.js";
import { parseField, type ParsedField } from "./cron-field.js";
import { cronUnits, type CronUnitName } from "./cron-units.js";

/** A cron expression, read: what each of its fields allows. */
export type CronExpression = Readonly<Record<CronUnitName, ParsedField>>;

/** The short forms of Vixie cron, but `@reboot`, which is no time. */
const shortForms: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
]);

const longestExpression = 1000;

/** Reads an expression of five or six fields, or a short form. @throws `TASKQ_CRON` */
export function parseExpression(text: string): CronExpression {
  if (text.length > longestExpression) {
    throw unexpected("cron", `at most ${longestExpression} characters`, text, "TASKQ_CRON");
  }
  const fields = fieldTexts(text);
  const [second = "0", minute = "", hour = "", day = "", month = "", weekday = ""] =
    fields.length === 5 ? ["0", ...fields] : fields;
  const given = { second, minute, hour, day, month, weekday };
  const field = (name: CronUnitName): ParsedField => parseField(given[name], cronUnits[name], text);
  const expression: CronExpression = {
    second: field("second"),
    minute: field("minute"),
    hour: field("hour"),
    day: field("day"),
    month: field("month"),
    weekday: field("weekday"),
  };
  refuseImpossibleDate(expression, text, given);
  return expression;
}

function fieldTexts(text: string): readonly string[] {
  const trimmed = text.trim();
  if (trimmed.startsWith("@")) {
    const long = shortForms.get(trimmed.toLowerCase());
    if (long !== undefined) return long.split(" ");
    throw unexpected("cron", `one of ${[...shortForms.keys()].join(", ")}`, text, "TASKQ_CRON");
  }
  const fields = trimmed === "" ? [] : trimmed.split(/\s+/);
  if (fields.length === 5 || fields.length === 6) return fields;
  throw new TaskqError(
    "TASKQ_CRON",
    `cron: expected 5 fields (minute hour day month weekday) or 6 (second first), ` +
      `got ${fields.length} in '${text}'`,
  );
}

/** February has its leap day. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function refuseImpossibleDate(
  expression: CronExpression,
  text: string,
  given: Readonly<Record<CronUnitName, string>>,
): void {
  if (daysRule(expression) === "either") return; // the weekdays alone will do
  const longest = Math.max(...expression.month.values.map((month) => longestMonths[month - 1] ?? 0));
  if ((expression.day.values[0] ?? 0) <= longest) return;
  throw new TaskqError(
    "TASKQ_CRON",
    `cron '${text}': expected a date that exists, got day '${given.day}' in month '${given.month}'`,
  );
}

/**
 * How day and weekday go together: when neither begins with `*`, either will do, else it takes both.
 *
 * That is the rule of Vixie cron (`DOM_STAR` and `DOW_STAR` in its `entry.c`), where a star with a step is a star too.
 */
export function daysRule(expression: CronExpression): "either" | "both" {
  return expression.day.star || expression.weekday.star ? "both" : "either";
}
