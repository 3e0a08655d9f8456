import { unexpected } from "./options.js";

const grammar = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** The name of a task, if it is one: `[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}`. @throws `TASKQ_OPTION` */
export function checkedTaskName(name: unknown, what: string): string {
  if (typeof name === "string" && grammar.test(name)) return name;
  throw unexpected(
    `the name of a ${what}`,
    "1 to 128 letters, digits and any of . _ : / - of which the first is a letter or a digit",
    name,
  );
}
