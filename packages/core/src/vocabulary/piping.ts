import type { untyped } from "./brands.js";

/** A stage that returns nothing hands on `undefined`; one that returns `any` goes before every task. */
export type Piped<Output> = [Output] extends [OnlyAny]
  ? Output
  : [Output] extends [void]
    ? undefined
    : Output;

/** What is still to be given when `Output` goes into a task that takes `Input`; fields that it has already may be given too, and win. */
export type Extra<Input, Output> = [Output] extends [OnlyAny]
  ? OutputOfEitherKind
  : [Output] extends [Whole]
    ? Beside<Input, Piped<Output>>
    : [Output] extends [object]
      ? [Extract<Output, Whole>] extends [never]
        ? Missing<Input, Output>
        : OutputOfEitherKind
      : OutputOfEitherKind;

/** Nothing is of this type; `any` fits all the same, and so does `never`. */
interface OnlyAny {
  readonly [untyped]: never;
}

type Missing<Input, Output> = Flat<
  {
    [Field in keyof Input as Fit<Field, Input, Output> extends "absent" ? Field : never]: Input[Field];
  } & {
    [Field in keyof Input as Fit<Field, Input, Output> extends "clashes" ? Field : never]-?: Input[Field];
  } & {
    [Field in keyof Input as Fit<Field, Input, Output> extends "fits" ? Field : never]?: Input[Field];
  }
>;

type Fit<Field extends keyof Input, Input, Output> = Field extends keyof Output
  ? Pick<Output, Field> extends Pick<Input, Field>
    ? "fits"
    : "clashes"
  : "absent";

type Beside<Input, Output> = "input" extends keyof Input
  ? [Output] extends [Input["input"]]
    ? Flat<Omit<Input, "input">>
    : OutputDoesNotFit
  : OutputDoesNotFit;

type Flat<T> = { [Field in keyof T]: T[Field] };

/** What is never merged with fields. */
type Whole =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | void
  | readonly unknown[]
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Date
  | Error
  | ArrayBufferView
  | ArrayBuffer
  | ((...args: never) => unknown);

type OutputOfEitherKind = "an output that may or may not be an object takes no fields beside it";
type OutputDoesNotFit = "the next task must take { input }, with the output of the stage before in it";
