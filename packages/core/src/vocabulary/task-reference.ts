import type { output } from "./brands.js";

/** What names a task, wherever a queue asks for one: a `Task` or a `Periodic`. */
export interface TaskReference<out Name extends string = string, out Output = unknown> {
  readonly name: Name;
  readonly [output]: Output; // in the type only
}
