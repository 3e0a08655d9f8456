/**
 * Expressions and, written out apart from any parser, what each of them means: the values that a field allows (none
 * written: any), how day and weekday go together, and which of the two rules for changing clocks holds.
 */
export interface Case {
  readonly expression: string;
  readonly rule: "fixed" | "elapsed";
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  readonly weekdays: readonly number[];
  readonly together: "both" | "either";
}

type Meaning = Partial<Omit<Case, "expression" | "rule">>;

function span(first: number, last: number, step = 1): number[] {
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step);
}

function meaning(rule: Case["rule"], expression: string, given: Meaning): Case {
  return {
    expression,
    rule,
    seconds: [0],
    minutes: span(0, 59),
    hours: span(0, 23),
    days: span(1, 31),
    months: span(1, 12),
    weekdays: span(0, 6),
    together: "both",
    ...given,
  };
}
const fixed = (expression: string, given: Meaning): Case => meaning("fixed", expression, given);
const elapsed = (expression: string, given: Meaning): Case => meaning("elapsed", expression, given);

const at = (hours: number | number[], minutes: number | number[]): Meaning => ({
  hours: [hours].flat(),
  minutes: [minutes].flat(),
});

const minutesAndHours: readonly Case[] = [
  elapsed("* * * * *", {}),
  elapsed("*/15 * * * *", { minutes: [0, 15, 30, 45] }),
  elapsed("*/7 * * * *", { minutes: span(0, 56, 7) }),
  elapsed("0 * * * *", { minutes: [0] }),
  elapsed("7,37 * * * *", { minutes: [7, 37] }),
  elapsed("10-40/15 * * * *", { minutes: [10, 25, 40] }),
  elapsed("* 1 * * *", { hours: [1] }),
  elapsed("0-59 2 * * *", { hours: [2] }),
  elapsed("* 2,3 * * *", { hours: [2, 3] }),
  elapsed("*/30 0 * * *", at(0, [0, 30])),
  elapsed("5,*/20 2 * * *", at(2, [0, 5, 20, 40])),
  elapsed("5 */2 * * *", at(span(0, 22, 2), 5)),
  elapsed("0 */6 * * *", at([0, 6, 12, 18], 0)),
  elapsed("15 0-23 * * *", { minutes: [15] }),
  elapsed("@hourly", { minutes: [0] }),
  fixed("30 1-5/2 * * *", at([1, 3, 5], 30)),
  fixed("0 0 * * *", at(0, 0)),
  fixed("30 0 * * *", at(0, 30)),
  fixed("0 1 * * *", at(1, 0)),
  fixed("30 1 * * *", at(1, 30)),
  fixed("0 2 * * *", at(2, 0)),
  fixed("30 2 * * *", at(2, 30)),
  fixed("45 2 * * *", at(2, 45)),
  fixed("0 3 * * *", at(3, 0)),
  fixed("45 23 * * *", at(23, 45)),
  fixed("15,45 1,2 * * *", at([1, 2], [15, 45])),
  fixed("59 23,0-2 * * *", at([23, 0, 1, 2], 59)),
  fixed("20 0-22 * * *", at(span(0, 22), 20)),
  fixed("0-58 2 * * *", at(2, span(0, 58))),
  fixed("0,15,30,45 0-3 * * *", at([0, 1, 2, 3], [0, 15, 30, 45])),
  fixed("@daily", at(0, 0)),
  fixed("@midnight", at(0, 0)),
];

const seconds: readonly Case[] = [
  elapsed("30 * * * * *", { seconds: [30] }),
  elapsed("59 */10 1,2 * * *", { ...at([1, 2], span(0, 50, 10)), seconds: [59] }),
  fixed("*/20 30 2 * * *", { ...at(2, 30), seconds: [0, 20, 40] }),
  fixed("0,30 0 1-3 * * *", { ...at([1, 2, 3], 0), seconds: [0, 30] }),
  fixed("* 59 1 * * *", { ...at(1, 59), seconds: span(0, 59) }),
  fixed("15 59 23 * * sun", { ...at(23, 59), seconds: [15], weekdays: [0] }),
];

const dates: readonly Case[] = [
  fixed("0 2 1 * *", { ...at(2, 0), days: [1] }),
  fixed("30 2 8-14 3 *", { ...at(2, 30), days: span(8, 14), months: [3] }),
  fixed("0 0 31 * *", { ...at(0, 0), days: [31] }),
  fixed("0 0 29 2 *", { ...at(0, 0), days: [29], months: [2] }),
  fixed("15 1 */2 * *", { ...at(1, 15), days: span(1, 31, 2) }),
  fixed("0 12 1,15 * *", { ...at(12, 0), days: [1, 15] }),
  fixed("30 0 28-31 * *", { ...at(0, 30), days: [28, 29, 30, 31] }),
  fixed("0 8,20 30 12 *", { ...at([8, 20], 0), days: [30], months: [12] }),
  elapsed("0 */1 30 dec *", { minutes: [0], days: [30], months: [12] }),
  fixed("30 1 * mar,oct sun", { ...at(1, 30), months: [3, 10], weekdays: [0] }),
  fixed("0 0 1 jan *", { ...at(0, 0), days: [1], months: [1] }),
  fixed("30 2 * 3-4,9-11 *", { ...at(2, 30), months: [3, 4, 9, 10, 11] }),
  fixed("0 3 1 */3 *", { ...at(3, 0), days: [1], months: [1, 4, 7, 10] }),
  fixed("@monthly", { ...at(0, 0), days: [1] }),
  fixed("@yearly", { ...at(0, 0), days: [1], months: [1] }),
];

const weekdays: readonly Case[] = [
  fixed("0 2 * * sun", { ...at(2, 0), weekdays: [0] }),
  fixed("30 2 * * 0,6", { ...at(2, 30), weekdays: [0, 6] }),
  fixed("0 0 * * 7", { ...at(0, 0), weekdays: [0] }),
  fixed("15 1 * * MON-FRI", { ...at(1, 15), weekdays: [1, 2, 3, 4, 5] }),
  fixed("30 23 * * fri-sun", { ...at(23, 30), weekdays: [5, 6, 0] }),
  fixed("0 1 * * */2", { ...at(1, 0), weekdays: [0, 2, 4, 6] }),
  elapsed("*/30 2 * 3,11 0", { ...at(2, [0, 30]), months: [3, 11], weekdays: [0] }),
  fixed("@weekly", { ...at(0, 0), weekdays: [0] }),
];

const daysAndWeekdays: readonly Case[] = [
  fixed("30 2 13 * fri", { ...at(2, 30), days: [13], weekdays: [5], together: "either" }),
  fixed("0 1 1-7 * sun", { ...at(1, 0), days: span(1, 7), weekdays: [0], together: "either" }),
  fixed("0 2 1-31 * sun", { ...at(2, 0), weekdays: [0], together: "either" }),
  elapsed("*/20 0 1 * sun", { ...at(0, [0, 20, 40]), days: [1], weekdays: [0], together: "either" }),
  fixed("0 0 */2 * mon", { ...at(0, 0), days: span(1, 31, 2), weekdays: [1] }),
  fixed("30 1 13 * */3", { ...at(1, 30), days: [13], weekdays: [0, 3, 6] }),
  fixed("0 0 30 dec fri", { ...at(0, 0), days: [30], months: [12], weekdays: [5], together: "either" }),
];

export const cases: readonly Case[] = [
  ...minutesAndHours,
  ...seconds,
  ...dates,
  ...weekdays,
  ...daysAndWeekdays,
];
