import type { CheckedOptions } from "./task-options.js";
import { unexpected } from "./options.js";
import type { Schedule } from "./schedule/schedule.js";
import type { StandardSchema } from "./vocabulary/standard-schema.js";
import type { AnyTask, TaskContext } from "./vocabulary/task-and-job.js";
import type { Misfire, Overlap } from "./vocabulary/task-options.js";

/** What a task is underneath: all of it checked, durations in milliseconds. */
export type Definition = TaskDefinition | PeriodicDefinition;

/** What `task` defines. */
export interface TaskDefinition extends DefinitionBase {
  readonly kind: "task";
  readonly schema: StandardSchema | undefined;
}

/** What `periodic` defines. Its handler is given no input: `handler(undefined, context)`. */
export interface PeriodicDefinition extends DefinitionBase {
  readonly kind: "periodic";
  readonly schema: undefined;
  readonly schedule: Schedule;
  readonly overlap: Overlap;
  readonly misfire: Misfire;
}

interface DefinitionBase {
  readonly name: string;
  readonly options: CheckedOptions;
  /** The bare handler; it may be synchronous. */
  readonly handler: (input: unknown, context: TaskContext) => unknown;
}

/** Registered, so that a task made by one copy of this package is a task to another. */
const definitionKey: unique symbol = Symbol.for("taskq.definition");

/** A frozen task: what its users see, and the definition, which does not show. */
export function withDefinition<Value extends object>(value: Value, definition: Definition): Value {
  Object.defineProperty(value, definitionKey, { value: Object.freeze(definition) });
  return Object.freeze(value);
}

/** Whether this is what `task` or `periodic` answered. */
export function isTask(value: unknown): value is AnyTask {
  return typeof value === "object" && value !== null && definitionKey in value;
}

/**
 * The definition of a task.
 *
 * @param what names the place in the error, such as `pipe`.
 * @throws `TASKQ_OPTION` for what is no task
 */
export function definitionOf(task: unknown, what: string = "task"): Definition {
  if (isTask(task) && definitionKey in task) return task[definitionKey] as Definition;
  throw unexpected(what, "a task, made by task() or periodic()", task);
}
