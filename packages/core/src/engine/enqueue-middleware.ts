import { epochMilliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { isPromise } from "../is-promise.js";
import { unexpected } from "../options.js";
import type { JobDraft, Middleware } from "../vocabulary/middleware.js";
import { checkedHeaders, checkedPriority } from "./enqueue-options.js";
import { isRecord } from "./is-record.js";
import { whenReady, type MaybePromise } from "./maybe-promise.js";

/** Leads a draft through the enqueue middleware, the first one outermost, and answers what came out. */
export function throughMiddleware(
  middleware: readonly Middleware[],
  draft: JobDraft,
): MaybePromise<JobDraft> {
  // Whatever a layer writes into the draft.
  const { id, task } = draft;
  let result: JobDraft | undefined;
  const at = (index: number, current: JobDraft): void | Promise<void> => {
    const layer = middleware[index];
    if (layer === undefined) {
      result = checkedDraft(current, id, task);
      return undefined;
    }
    if (layer.enqueue === undefined) return at(index + 1, current);
    const done = layer.enqueue(current, (next) => at(index + 1, next));
    return isPromise(done) ? Promise.resolve(done) : done;
  };
  return whenReady(at(0, draft), () => {
    if (result !== undefined) return result;
    throw new TaskqError(
      "TASKQ_OPTION",
      `a middleware dropped the job of task '${task}': call next(job), or throw to refuse it`,
    );
  });
}

/** A copy: what a job is cannot be changed on the way, and what can is as it must be. @throws `TASKQ_OPTION` */
function checkedDraft(changed: JobDraft, id: string, task: string): JobDraft {
  if (!isRecord(changed)) throw unexpected("next of a middleware", "the job, or a changed copy", changed);
  if (changed.id !== id || changed.task !== task) {
    throw new TaskqError("TASKQ_OPTION", "a middleware changed the id or the task of a job: neither may be");
  }
  const what = "what a middleware made of a job:";
  return {
    id,
    task,
    input: changed.input,
    headers: checkedHeaders(changed.headers, what),
    priority: checkedPriority(changed.priority, what),
    scheduledAt: new Date(epochMilliseconds(changed.scheduledAt, `${what} scheduledAt`)),
  };
}
