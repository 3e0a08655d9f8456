import { TaskqError, type TaskqErrorCode } from "../../src/errors.ts";
import type { MessageContext } from "../../src/serializer/serializer.ts";

export const context: MessageContext = {
  purpose: "task",
  namespace: "taskq",
  queue: "default",
  id: "7",
  task: "add",
};

/** What the function throws; fails if it throws nothing or no error of ours with the code. */
export function errorOf(code: TaskqErrorCode, run: () => unknown): TaskqError {
  try {
    run();
  } catch (error) {
    if (error instanceof TaskqError && error.code === code) return error;
    throw error;
  }
  throw new Error(`expected ${code}, but nothing was thrown`);
}
