/** One unit of a cron expression and the values it may have. */
export interface CronUnit {
  readonly name: CronUnitName;
  readonly min: number;
  readonly max: number;
  /** How many different values there are. */
  readonly size: number;
  /** The first name stands for `min`. */
  readonly names: readonly string[];
}

/** The names of the units, as the object form spells them. */
export type CronUnitName = "second" | "minute" | "hour" | "day" | "month" | "weekday";

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const weekdays = "sun mon tue wed thu fri sat".split(" ");

/** The units in the order in which a cron expression has them. */
export const cronUnits: Readonly<Record<CronUnitName, CronUnit>> = {
  second: { name: "second", min: 0, max: 59, size: 60, names: [] },
  minute: { name: "minute", min: 0, max: 59, size: 60, names: [] },
  hour: { name: "hour", min: 0, max: 23, size: 24, names: [] },
  day: { name: "day", min: 1, max: 31, size: 31, names: [] },
  month: { name: "month", min: 1, max: 12, size: 12, names: months },
  // Both 0 and 7 are Sunday.
  weekday: { name: "weekday", min: 0, max: 7, size: 7, names: weekdays },
};

/** The names of the units, in the order in which a cron expression has them. */
export const cronUnitNames: readonly CronUnitName[] = ["second", "minute", "hour", "day", "month", "weekday"];
