import { CronExpressionParser, type CronExpression as Search } from "cron-parser";
import { daysRule, type CronExpression } from "./cron-expression.js";

/**
 * Wall clock times as numbers: the milliseconds that the same digits would have in UTC. Answers the first one after a
 * wall time that an expression allows, or none within the search.
 */
export type WallTimes = (after: number) => number | undefined;

/** 31 December 9999, the end of four-digit years. */
const lastWallTime = Date.UTC(9999, 11, 31, 23, 59, 59);
const dayLength = 86_400_000;

/**
 * The wall times of an expression, by cron-parser. It is only ever asked in UTC, since it fails where clocks change by
 * half an hour; and only for fields that are spelled out, since it refuses overlapping lists and draws `H` by lot.
 */
export function wallTimes(expression: CronExpression): WallTimes {
  const bothStarred = daysRule(expression) === "both";
  const { day, weekday } = expression;
  // cron-parser takes either of day and weekday unless one is a bare star; so weekdays that must fit too are sifted here.
  const sifted = bothStarred && !isEvery(day.values, 31) && !isEvery(weekday.values, 7);
  const search = CronExpressionParser.parse(
    [
      expression.second.values,
      expression.minute.values,
      expression.hour.values,
      bothStarred && isEvery(day.values, 31) ? "*" : day.values,
      expression.month.values,
      bothStarred && (sifted || isEvery(weekday.values, 7)) ? "*" : weekday.values,
    ].join(" "),
    { tz: "UTC" },
  );
  return remembering((after) => {
    let found = searchAfter(search, after);
    if (!sifted) return found;
    while (found !== undefined && !weekday.values.includes(weekdayOf(found))) {
      found = searchAfter(search, endOfDay(found));
    }
    return found;
  });
}

/** cron-parser takes up to a millisecond for rare dates, and the same one is asked for again and again. */
function remembering(first: WallTimes): WallTimes {
  let from = 0;
  let to = 0;
  return (after) => {
    if (after >= from && after < to) return to;
    const found = first(after);
    if (found !== undefined) [from, to] = [after, found];
    return found;
  };
}

function searchAfter(search: Search, after: number): number | undefined {
  if (after >= lastWallTime) return undefined;
  search.reset(new Date(after));
  const found = search.next().getTime();
  return found > lastWallTime ? undefined : found;
}

function isEvery(values: readonly number[], size: number): boolean {
  return values.length === size;
}

function weekdayOf(wallTime: number): number {
  return new Date(wallTime).getUTCDay();
}

function endOfDay(wallTime: number): number {
  return Math.floor(wallTime / dayLength) * dayLength + dayLength - 1;
}
