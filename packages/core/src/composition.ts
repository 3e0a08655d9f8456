import { isTask, type Definition } from "./definition.js";
import { TaskqError } from "./errors.js";
import { unexpected } from "./options.js";
import type { Job } from "./vocabulary/task-and-job.js";

/** What a job is underneath: a tree of runs. */
export type Composition =
  | {
      readonly kind: "run";
      readonly task: Definition;
      readonly input: unknown;
    }
  | {
      /** `task` after `before`, with its output; see `mergeInput`. */
      readonly kind: "pipe";
      readonly before: Composition;
      readonly task: Definition;
      readonly extra: object | undefined;
    }
  | {
      readonly kind: "group";
      readonly members: readonly Composition[];
      readonly mode: "all" | "settled";
    }
  | {
      /** `handler` once, if `body` ends `failed` or `quarantined`. The output is that of `body`. */
      readonly kind: "guarded";
      readonly body: Composition;
      readonly handler: Definition;
    };

/** Registered, so that a job made by one copy of this package is a job to another. */
export const compositionKey: unique symbol = Symbol.for("taskq.composition");

/** Whether this is what `task.job`, `group`, `pipe` or `onError` answered. */
export function isJob(value: unknown): value is Job {
  return typeof value === "object" && value !== null && compositionKey in value;
}

/**
 * What a job is underneath.
 *
 * @param what names the place in the error, such as `enqueue`.
 * @throws `TASKQ_OPTION` for what is no job
 */
export function compositionOf(job: unknown, what: string = "job"): Composition {
  if (isJob(job) && compositionKey in job) return job[compositionKey] as Composition;
  if (isTask(job)) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `${what}: expected a job, got the task '${job.name}' itself; its job(input) makes one`,
    );
  }
  throw unexpected(what, "a job, such as task.job(input) or group([…])", job);
}
