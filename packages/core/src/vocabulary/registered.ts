import type { AnyTask } from "./task-and-job.js";

/** What a queue demands of a job besides being one: that it has each of the tasks. */
export type Registered<Needs extends string, Names extends string> = [Needs] extends [Names]
  ? unknown
  : string extends Needs
    ? "the type of this job does not say which tasks it needs: write Job<Output, Names>, or leave it to be inferred"
    : `this queue has no task named '${Exclude<Needs, Names>}'`;

/** The names of the tasks among some exports. */
export type TaskNames<Exports> = {
  [Export in keyof Exports]: NameOf<Exports[Export]>;
}[keyof Exports];

/** `any` may be a task or not, so it names none. */
type NameOf<Value> = 0 extends 1 & Value ? never : Value extends AnyTask ? Value["name"] : never;
