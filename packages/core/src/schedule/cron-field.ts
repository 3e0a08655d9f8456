import type { TaskqError } from "../errors.js";
import { unexpected } from "../options.js";
import type { CronUnit } from "./cron-units.js";

/** The values that one field of a cron expression allows. */
export interface ParsedField {
  /** Ascending, without duplicates; of weekdays 0 to 6. */
  readonly values: readonly number[];
  /** Whether it begins with `*`, which is what the Vixie rule for day and weekday asks. */
  readonly star: boolean;
  /** Whether it follows elapsed time when clocks change: `*` and its steps, and whatever allows every value. */
  readonly elapsed: boolean;
}

/**
 * Reads one field: a list of `*`, values and ranges, the first and the last with steps.
 *
 * @throws `TASKQ_CRON`
 */
export function parseField(field: string, unit: CronUnit, expression: string): ParsedField {
  const values = new Set<number>();
  for (const item of field.split(",")) {
    for (const value of itemValues(item, unit, expression)) {
      values.add(unit.name === "weekday" ? value % 7 : value);
    }
  }
  return {
    values: [...values].toSorted((a, b) => a - b),
    star: field.startsWith("*"),
    elapsed: field.includes("*") || values.size === unit.size,
  };
}

const itemGrammar = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/;

function itemValues(item: string, unit: CronUnit, expression: string): number[] {
  const [matched, star, first, last, stepText] = itemGrammar.exec(item) ?? [];
  if (matched === undefined) {
    throw refusal(expression, unit, `${examples(unit)} or a list of such`, item);
  }
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1 || step > unit.size) {
    throw refusal(expression, unit, `a step from 1 to ${unit.size}`, item);
  }
  const from = star === undefined ? valueOf(first, unit, expression) : unit.min;
  if (star === undefined && last === undefined) {
    if (stepText === undefined) return [from];
    throw refusal(expression, unit, `a step after * or a range ('${from}-${unit.max}/${step}')`, item);
  }
  const to = star === undefined ? rangeEnd(last, from, unit, expression) : unit.max;
  if (to < from) {
    throw refusal(expression, unit, "a range that ascends (write two, as in '22-23,0-5')", item);
  }
  const values: number[] = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
}

/** `sat-sun` ends with the Sunday that is 7. */
function rangeEnd(last: string | undefined, from: number, unit: CronUnit, expression: string): number {
  const to = valueOf(last, unit, expression);
  return unit.name === "weekday" && last?.toLowerCase() === "sun" && from > 0 ? 7 : to;
}

function valueOf(token: string | undefined, unit: CronUnit, expression: string): number {
  const named = unit.names.indexOf((token ?? "").toLowerCase());
  if (named >= 0) return unit.min + named;
  const value = /^\d{1,4}$/.test(token ?? "") ? Number(token) : Number.NaN;
  if (value >= unit.min && value <= unit.max) return value;
  const names = unit.names.length === 0 ? "" : ` or a name (${unit.names.join(", ")})`;
  throw refusal(expression, unit, `a number from ${unit.min} to ${unit.max}${names}`, token);
}

function examples(unit: CronUnit): string {
  const [low, high] = [unit.min + 1, unit.min + 5];
  return `*, '${low}', '${low}-${high}', '*/2', '${low}-${high}/2'`;
}

function refusal(expression: string, unit: CronUnit, expected: string, came: unknown): TaskqError {
  return unexpected(`cron '${expression}': ${unit.name}`, expected, came, "TASKQ_CRON");
}
