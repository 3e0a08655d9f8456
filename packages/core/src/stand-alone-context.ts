import { TaskqError } from "./errors.js";
import { unexpected } from "./options.js";
import type { Logger } from "./vocabulary/logger.js";
import type { TaskContext } from "./vocabulary/task-and-job.js";
import type { Values } from "./vocabulary/values.js";

/**
 * The context of a handler that is called without a queue: a first run of the job `test`, never
 * aborted, silent. Parts of it may be replaced; those that need a queue throw `TASKQ_NO_QUEUE`
 * unless they are.
 */
export function standAloneContext(task: string, parts: Partial<TaskContext> = {}): TaskContext {
  if (typeof parts !== "object" || parts === null)
    throw unexpected(`run of task '${task}'`, "parts of a context as its second argument", parts);
  const now = new Date();
  const deadline = parts.deadline;
  const context: TaskContext = {
    id: "test",
    task,
    attempt: 1,
    fence: 1,
    signal: new AbortController().signal,
    deadline,
    remaining: () => (deadline === undefined ? Infinity : Math.max(0, deadline.getTime() - Date.now())),
    enqueuedAt: now,
    scheduledAt: now,
    headers: {},
    enqueue: rejecting("enqueue"),
    enqueueMany: rejecting("enqueueMany"),
    lock: throwing("lock"),
    limit: throwing("limit"),
    values: absentValues,
    progress: async () => {},
    log: silent,
    // What consumers lend is declared by the user, who gives it here too where the handler asks.
    resources: {},
  };
  return { ...context, ...replaced(context, parts) };
}

/** Read by name rather than spread: the context of another run may keep its members on a prototype. */
function replaced(context: TaskContext, parts: Partial<TaskContext>): Partial<TaskContext> {
  const names = Object.keys(context).filter((name) => name in parts);
  return Object.fromEntries(names.map((name) => [name, parts[name as keyof TaskContext]]));
}

function rejecting(member: string): (...args: unknown[]) => Promise<never> {
  return () => Promise.reject(noQueue(member));
}

function throwing(member: string): (...args: unknown[]) => never {
  return () => {
    throw noQueue(member);
  };
}

function noQueue(member: string): TaskqError {
  return new TaskqError(
    "TASKQ_NO_QUEUE",
    `context.${member} needs a queue, and run() calls the handler without one: give a stand-in in the second argument of run, or enqueue the job on a queue with immediate: true`,
  );
}

const absentValues: Values = {
  set: rejecting("values.set"),
  get: rejecting("values.get"),
  take: rejecting("values.take"),
  setIfAbsent: rejecting("values.setIfAbsent"),
  delete: rejecting("values.delete"),
  compareAndDelete: rejecting("values.compareAndDelete"),
  increment: rejecting("values.increment"),
};

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
