/** Instants by a rule; made by `cron` and `every`. Data underneath, so that it can be stored. */
export interface Schedule {
  /** As it was given, in text. */
  readonly expression: string;
  /** The IANA zone whose clock it follows; none where only elapsed time counts, as with `every`. */
  readonly timeZone?: string;
  /**
   * The first instant after `after`, or none if there never is one.
   *
   * @throws `TASKQ_OPTION` for an invalid Date.
   */
  readonly next: (after: Date) => Date | undefined;
}

/** What a schedule is underneath: JSON. */
export type ScheduleData =
  | { readonly kind: "cron"; readonly expression: string; readonly timeZone: string }
  | { readonly kind: "every"; readonly expression: string };

// Registered, so that a schedule made by another copy of this package is known as well.
const underneath: unique symbol = Symbol.for("taskq.schedule");

interface WithData extends Schedule {
  readonly [underneath]?: ScheduleData;
}

/** A schedule whose data `dataUnder` finds again. */
export function makeSchedule(data: ScheduleData, next: Schedule["next"]): Schedule {
  return Object.freeze({
    expression: data.expression,
    ...(data.kind === "cron" ? { timeZone: data.timeZone } : {}),
    next,
    [underneath]: Object.freeze(data),
  });
}

/** The data under a schedule, if it was made by `makeSchedule`. */
export function dataUnder(schedule: Schedule): ScheduleData | undefined {
  const made: WithData = schedule;
  return made[underneath];
}
