import { epochMilliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { isPromise } from "../is-promise.js";
import { unexpected } from "../options.js";
import type { JobDraft, Middleware } from "../vocabulary/middleware.js";
import { checkedHeaders, checkedPriority } from "./enqueue-options.js";
import { isRecord } from "./is-record.js";
import { whenReady, type MaybePromise } from "./maybe-promise.js";
import { heardOrNot, wrongNext } from "./wrong-next.js";

type Layer = NonNullable<Middleware["enqueue"]>;

/** Leads a draft through the enqueue middleware, the first one outermost, and answers what came out. */
export function throughMiddleware(
  middleware: readonly Middleware[],
  draft: JobDraft,
): MaybePromise<JobDraft> {
  // Whatever a layer writes into the draft.
  const { id, task } = draft;
  // Some may be disposed of while one is waited for.
  const layers = middleware.filter((layer) => layer.enqueue !== undefined);
  let result: JobDraft | undefined;
  const at = (index: number, current: JobDraft): MaybePromise<void> => {
    const layer = layers[index];
    if (layer?.enqueue === undefined) {
      result = checkedDraft(current, id, task);
      return undefined;
    }
    return throughLayer(
      (job, next) => layer.enqueue?.(job, next),
      current,
      (next) => at(index + 1, next),
    );
  };
  return whenReady(at(0, draft), () => {
    if (result !== undefined) return result;
    throw new TaskqError(
      "TASKQ_OPTION",
      `a middleware dropped the job of task '${task}': call next(job), or throw to refuse it`,
    );
  });
}

/** Ends once what is within has, whether or not the layer waits for it. @throws `TASKQ_OPTION` for one that calls `next` twice */
function throughLayer(
  layer: Layer,
  draft: JobDraft,
  within: (job: JobDraft) => MaybePromise<void>,
): MaybePromise<void> {
  let calls = 0;
  let inner: MaybePromise<void>;
  let isPending = false;
  let hasAnswered = false;
  const next = (job: JobDraft): MaybePromise<void> => {
    // Nobody may hear of it any more.
    if (hasAnswered) return heardOrNot(Promise.reject(wrongNext("after it had answered")));
    calls += 1;
    if (calls > 1) return undefined;
    inner = within(job);
    if (inner instanceof Promise) {
      isPending = true;
      inner = heardOrNot(inner.finally(() => (isPending = false)));
    }
    return inner;
  };
  const answered = (): MaybePromise<void> => {
    hasAnswered = true;
    if (calls > 1) throw wrongNext("twice: a job is stored once");
    if (isPending) return inner;
  };
  const done = layer(draft, next);
  return whenReady(isPromise(done) ? Promise.resolve(done) : done, answered);
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
