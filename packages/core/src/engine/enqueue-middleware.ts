import { epochMilliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
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
  let result: JobDraft | undefined;
  const at = (index: number, current: JobDraft): void | Promise<void> => {
    const layer = middleware[index];
    if (layer === undefined) {
      result = kept(draft, current);
      return undefined;
    }
    if (layer.enqueue === undefined) return at(index + 1, current);
    return layer.enqueue(current, (next) => at(index + 1, next));
  };
  return whenReady(at(0, draft), () => {
    if (result !== undefined) return result;
    throw new TaskqError(
      "TASKQ_OPTION",
      `a middleware dropped the job of task '${draft.task}': call next(job), or throw to refuse it`,
    );
  });
}

/** What a job is cannot be changed on the way, and what can is as it must be. @throws `TASKQ_OPTION` */
function kept(draft: JobDraft, changed: JobDraft): JobDraft {
  if (changed === draft) return draft;
  if (!isRecord(changed)) throw unexpected("next of a middleware", "the job, or a changed copy", changed);
  if (changed.id !== draft.id || changed.task !== draft.task) {
    throw new TaskqError("TASKQ_OPTION", "a middleware changed the id or the task of a job: neither may be");
  }
  const what = "what a middleware made of a job:";
  checkedHeaders(changed.headers, what);
  checkedPriority(changed.priority, what);
  epochMilliseconds(changed.scheduledAt, `${what} scheduledAt`);
  return changed;
}
