import { TaskqError } from "@taskq/core/storage";

/** Whether it is an error of taskq with this code. */
export function isCode(error: unknown, code: TaskqError["code"]): boolean {
  return error instanceof TaskqError && error.code === code;
}
