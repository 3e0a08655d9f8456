import { withDefinition, type TaskDefinition } from "./definition.js";
import { jobOf } from "./job.js";
import { callable, refuseUnknown, unexpected } from "./options.js";
import { checkedSchema, parseInput } from "./schema.js";
import { standAloneContext } from "./stand-alone-context.js";
import { checkedTaskName } from "./task-name.js";
import { checkedOptions, taskOptionNames } from "./task-options.js";
import type {
  HandlerOf,
  InputOf,
  InputOfHandler,
  InputWithoutType,
  OutputOf,
  Typed,
} from "./vocabulary/handler.js";
import type { StandardSchema } from "./vocabulary/standard-schema.js";
import type { Task, TaskContext } from "./vocabulary/task-and-job.js";
import type { TaskOptions } from "./vocabulary/task-options.js";

/**
 * Defines a task: a name, options, and the handler that does the work. The input is the type of the
 * handler's first parameter, or what the schema takes; the output is what the handler returns.
 *
 * A value: making one stores, opens and registers nothing. Its name, 1 to 128 letters, digits and
 * any of `. _ : / -` of which the first is a letter or a digit, is stored with its jobs, so it outlives a renaming of the variable.
 *
 * @throws `TASKQ_OPTION` for a name, an option or a handler that is none
 * @example
 * export const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
 * export const sendEmail = task("send-email", { input: EmailSchema, timeout: "30s" },
 *   async ({ to, subject }, { signal }) => { … });
 */
export function task<const Name extends string, Input = InputWithoutType, Handler = unknown>(
  name: Name,
  handler: Handler & HandlerOf<Input> & Typed<Handler>,
): Task<Name, InputOfHandler<Input, Handler>, OutputOf<Handler>>;
export function task<
  const Name extends string,
  Parsed = InputWithoutType,
  Handler = unknown,
  Input = InputOfHandler<Parsed, Handler>,
>(
  name: Name,
  options: TaskOptions<Parsed> & {
    /** Any Standard Schema. Checked at enqueue and again before running; the handler gets what it parsed. */
    readonly input?: StandardSchema<Input, Parsed>;
  },
  handler: Handler & HandlerOf<Parsed> & Typed<Handler>,
): Task<Name, InputOf<Input>, OutputOf<Handler>>;
export function task(
  ...given:
    | readonly [name: string, handler: Handler]
    | readonly [name: string, options: OptionsWithSchema, handler: Handler]
): Task<string, unknown, unknown> {
  const [name, options, handler] = given.length === 3 ? given : [given[0], {}, given[1]];
  return taskOf(definitionFrom(name, options, handler), options);
}

type Handler = (input: unknown, context: TaskContext) => unknown;
type OptionsWithSchema = TaskOptions<never> & { readonly input?: StandardSchema };

function definitionFrom(name: string, options: OptionsWithSchema, handler: Handler): TaskDefinition {
  const what = `task '${checkedTaskName(name, "task")}'`;
  if (typeof options === "function")
    throw unexpected(what, "the options before the handler: task(name, options, handler)", options);
  refuseUnknown(options, ["input", ...taskOptionNames], what);
  return {
    kind: "task",
    name,
    options: checkedOptions(options, what),
    handler: callable(handler, `${what} handler`),
    schema: options.input === undefined ? undefined : checkedSchema(options.input, `${what} input`),
  };
}

function taskOf(
  definition: TaskDefinition,
  { input: _schema, ...options }: OptionsWithSchema,
): Task<string, unknown, unknown> {
  const { name, schema, handler } = definition;
  const names = Object.freeze([name]);
  const value = {
    name,
    options: Object.freeze(options),
    job: (input: unknown) => jobOf({ kind: "run", task: definition, input }, names),
    run: async (input: unknown, context?: Partial<TaskContext>) => {
      const what = `the input of task '${name}'`;
      const parsed = schema === undefined ? input : await parseInput(schema, input, what);
      return handler(parsed, standAloneContext(name, context));
    },
  };
  // The brand is in the type only.
  return withDefinition(value, definition) as unknown as Task<string, unknown, unknown>;
}
