import { TaskqError } from "../errors.js";

/** What a middleware is told that calls `next` as it must not. */
export function wrongNext(how: string): TaskqError {
  return new TaskqError("TASKQ_OPTION", `a middleware called next() ${how}`);
}

/** For whoever waits for it: one who does not must not end the process. */
export function heardOrNot<Answer>(answer: Promise<Answer>): Promise<Answer> {
  answer.catch(() => {});
  return answer;
}
