import type { untyped } from "./brands.js";
import type { TaskContext } from "./task-and-job.js";

/** What a task does: gets the input and the context, answers the output. */
export type HandlerOf<Input> = (input: Input, context: TaskContext) => unknown;

/** What a handler's input is inferred as when nothing gives it a type. */
export interface InputWithoutType {
  readonly [untyped]: never;
}

/** Anything, if the handler's input has a type; else a sentence that nothing fits, so that the compiler says it. */
export type Typed<Handler> = Handler extends (...args: infer Args) => unknown
  ? Args extends readonly [infer Input, ...unknown[]]
    ? [Input] extends [InputWithoutType]
      ? "give the handler input a type, or the options a schema"
      : unknown
    : unknown
  : unknown;

/** No parameter: `void`. An optional one: `Input | void`, so that `job()` may leave it out. */
export type InputOf<Input> = [Input] extends [InputWithoutType]
  ? void
  : undefined extends Input
    ? Exclude<Input, undefined> | void
    : Input;

/** Without a schema. A parameter with a default is optional too, which its own type does not say. */
export type InputOfHandler<Input, Handler> = Handler extends (input: infer Given, ...rest: never) => unknown
  ? undefined extends Given
    ? InputOf<Input> | void
    : InputOf<Input>
  : never;

/** What a handler answers, awaited. */
export type OutputOf<Handler> = Handler extends (...args: never) => infer Output ? Awaited<Output> : never;
