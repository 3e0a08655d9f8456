import { Cron } from "croner";
import { describe, expect, test } from "vitest";
import { cron } from "../../src/schedule/cron.ts";
import { changingHours, clockShows, runsBetween, zones } from "./runs.ts";

const minute = 60_000;
const day = 86_400_000;

/** Where our rule and croner's agree: stars, and single fixed times. */
const agreed = [
  "* * * * *",
  "*/15 * * * *",
  "7 * * * *",
  "0 * * * *",
  "30 */3 * * *",
  "*/20 2 * * *",
  "0 0 * * *",
  "0 1 * * *",
  "30 1 * * *",
  "0 2 * * *",
  "15 2 * * *",
  "30 2 * * *",
  "0 3 * * mon-fri",
  "30 0 1,15 * *",
  "45 23 * 3,4,10 sun",
  "0 12 13 * fri",
  "20 0 9 * * *",
];

describe.each(zones)("over the clock changes of 2024 to 2027 in %s", (timeZone) => {
  // Zones without changes are looked at around two dates.
  const changes = changingHours(timeZone, Date.UTC(2024, 0, 1), Date.UTC(2028, 0, 1));
  const around = changes.length > 0 ? changes : [Date.UTC(2024, 1, 28), Date.UTC(2026, 11, 31)];

  test.each(agreed)(
    "'%s' runs as croner says",
    (expression) => {
      const schedule = cron(expression, { timeZone });
      const oracle = new Cron(expression, { timezone: timeZone });
      // croner takes its time, so that what runs often is looked at more closely.
      const reach = /^\S*\*/.test(expression) ? 2.5 * 3_600_000 : 1.5 * day;
      for (const change of around) {
        const [from, to] = [change - reach, change + reach];
        const expected: number[] = [];
        for (let at = oracle.nextRun(new Date(from)); at !== null; at = oracle.nextRun(at)) {
          if (at.getTime() > to) break;
          expected.push(at.getTime());
        }
        expect(runsBetween(schedule, from, to)).toEqual(expected);
      }
    },
    30_000,
  );
});

/** One expression and, apart from it, which wall times it means. */
interface Meaning {
  readonly expression: string;
  readonly fixed: boolean;
  readonly allows: (wallTime: Date) => boolean;
}
const at = (hours: readonly number[], minutes: readonly number[]) => (wallTime: Date) =>
  hours.includes(wallTime.getUTCHours()) && minutes.includes(wallTime.getUTCMinutes());
const meanings: readonly Meaning[] = [
  { expression: "0,15,45 0-3 * * *", fixed: true, allows: at([0, 1, 2, 3], [0, 15, 45]) },
  { expression: "30 2 * * *", fixed: true, allows: at([2], [30]) },
  { expression: "59 23,0,1 * * *", fixed: true, allows: at([23, 0, 1], [59]) },
  {
    expression: "10 1-2 * * 0,6",
    fixed: true,
    allows: (wallTime) => at([1, 2], [10])(wallTime) && [0, 6].includes(wallTime.getUTCDay()),
  },
  { expression: "*/10 * * * *", fixed: false, allows: (time) => time.getUTCMinutes() % 10 === 0 },
  { expression: "5 */2 * * *", fixed: false, allows: at([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22], [5]) },
  {
    expression: "*/30 1,2 * * *",
    fixed: false,
    allows: at([1, 2], [0, 30]),
  },
];

/** The rule as it is told: walk the clock minute by minute, and note what it showed for the first time, or skipped. */
function told({ fixed, allows }: Meaning, timeZone: string, from: number, to: number): number[] {
  const runs = new Set<number>();
  let latest = clockShows(timeZone, from);
  for (let instant = from + minute; instant <= to; instant += minute) {
    const shown = clockShows(timeZone, instant);
    if (!fixed) {
      if (allows(new Date(shown))) runs.add(instant);
      continue;
    }
    for (let wallTime = latest + minute; wallTime <= shown; wallTime += minute) {
      if (allows(new Date(wallTime))) runs.add(instant);
    }
    latest = Math.max(latest, shown);
  }
  return [...runs];
}

describe.each(zones)("around the clock changes of 2025 and 2026 in %s", (timeZone) => {
  const changes = changingHours(timeZone, Date.UTC(2025, 0, 1), Date.UTC(2027, 0, 1));
  const around = changes.length > 0 ? changes : [Date.UTC(2026, 11, 31)];

  test.each(meanings)("'$expression' runs as the rule says, minute by minute", (meaning) => {
    const schedule = cron(meaning.expression, { timeZone });
    for (const change of around) {
      const [from, to] = [change - day, change + day];
      expect(runsBetween(schedule, from, to)).toEqual(told(meaning, timeZone, from, to));
    }
  });

  test.each(meanings)("'$expression' runs next at the same instant, whenever it is asked", (meaning) => {
    const schedule = cron(meaning.expression, { timeZone });
    const [change = 0] = around;
    const [from, to] = [change - day, change + day];
    const runs = told(meaning, timeZone, from, to);
    const last = runs.at(-1) ?? from;
    const asked = Array.from(
      { length: Math.floor((last - from) / (7 * minute)) },
      (_, n) => from + n * 7 * minute,
    );
    const expected = asked.map((instant) => runs.find((run) => run > instant));
    expect(asked.map((instant) => schedule.next(new Date(instant))?.getTime())).toEqual(expected);
  });
});
