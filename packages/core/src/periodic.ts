import { withDefinition, type PeriodicDefinition } from "./definition.js";
import { jobOf } from "./job.js";
import { callable, integer, oneOf, refuseUnknown, unexpected } from "./options.js";
import { dataUnder, type Schedule } from "./schedule/schedule.js";
import { standAloneContext } from "./stand-alone-context.js";
import { checkedTaskName } from "./task-name.js";
import { checkedOptions, taskOptionNames } from "./task-options.js";
import type { Periodic, TaskContext } from "./vocabulary/task-and-job.js";
import type { Misfire, Overlap, PeriodicOptions } from "./vocabulary/task-options.js";

type PeriodicHandler = (context: TaskContext) => unknown;

/**
 * Defines a task that fires by the clock. The context is the only argument of its handler; what that
 * returns is not kept.
 *
 * A value: making one starts no timer. Consumers of a queue that has it fire it, each instant once
 * however many consumers there are.
 *
 * @throws `TASKQ_OPTION` for a name, a schedule, an option or a handler that is none
 * @example
 * export const nightly = periodic("nightly", cron("0 2 * * *", { timeZone: "Europe/Paris" }),
 *   async ({ scheduledAt, enqueue }) => { … });
 */
export function periodic<const Name extends string>(
  name: Name,
  schedule: Schedule,
  handler: (context: TaskContext) => unknown,
): Periodic<Name>;
export function periodic<const Name extends string>(
  name: Name,
  schedule: Schedule,
  options: PeriodicOptions,
  handler: (context: TaskContext) => unknown,
): Periodic<Name>;
export function periodic(
  ...given:
    | readonly [name: string, schedule: Schedule, handler: PeriodicHandler]
    | readonly [name: string, schedule: Schedule, options: PeriodicOptions, handler: PeriodicHandler]
): Periodic<string> {
  const [name, schedule, options, handler] = given.length === 4 ? given : [given[0], given[1], {}, given[2]];
  return periodicOf(definitionFrom(name, schedule, options, handler), options);
}

const optionNames = [
  ...taskOptionNames.filter((name) => name !== "unique" && name !== "expires"),
  "overlap",
  "misfire",
];

function definitionFrom(
  name: string,
  schedule: Schedule,
  options: PeriodicOptions,
  handler: PeriodicHandler,
): PeriodicDefinition {
  const what = `periodic task '${checkedTaskName(name, "periodic task")}'`;
  // First, since whoever leaves it out gives the others in its place.
  const checked = checkedSchedule(schedule, `${what} schedule`);
  if (typeof options === "function")
    throw unexpected(
      what,
      "the options before the handler: periodic(name, schedule, options, handler)",
      options,
    );
  refuseUnknown(options, optionNames, what);
  const { overlap = "skip", misfire = "once" } = options;
  return {
    kind: "periodic",
    name,
    options: checkedOptions(options, what),
    schema: undefined,
    schedule: checked,
    overlap: checkedOverlap(overlap, `${what} overlap`),
    misfire: checkedMisfire(misfire, `${what} misfire`),
    handler: withoutInput(callable(handler, `${what} handler`)),
  };
}

function withoutInput(handler: PeriodicHandler): PeriodicDefinition["handler"] {
  return (_input, context) => handler(context);
}

/** One of another make could not be stored, and would never fire. */
function checkedSchedule(schedule: Schedule, what: string): Schedule {
  if (typeof schedule === "object" && schedule !== null && dataUnder(schedule) !== undefined) return schedule;
  throw unexpected(what, "a schedule, made by cron() or every()", schedule);
}

/** What to do with a run that has not ended, checked. @throws `TASKQ_OPTION` */
export function checkedOverlap(overlap: Overlap, what: string): Overlap {
  return oneOf(overlap, ["allow", "skip", "queue"], what);
}

/** What to do with missed instants, checked. @throws `TASKQ_OPTION` */
export function checkedMisfire(misfire: Misfire, what: string): Misfire {
  if (misfire === "skip" || misfire === "once") return misfire;
  if (typeof misfire !== "object" || misfire === null) {
    throw unexpected(what, "'skip', 'once' or { all: number }", misfire);
  }
  refuseUnknown(misfire, ["all"], what);
  return Object.freeze({ all: integer(misfire.all, `${what} all`, { min: 1 }) });
}

function periodicOf(definition: PeriodicDefinition, options: PeriodicOptions): Periodic<string> {
  const { name, schedule, handler } = definition;
  const names = Object.freeze([name]);
  const value = {
    name,
    schedule,
    options: Object.freeze({ ...options }),
    job: () => jobOf({ kind: "run", task: definition, input: undefined }, names),
    run: async (context?: Partial<TaskContext>): Promise<void> => {
      await handler(undefined, standAloneContext(name, context));
    },
  };
  // The brand is in the type only.
  return withDefinition(value, definition) as unknown as Periodic<string>;
}
