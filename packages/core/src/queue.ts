import { TaskqError } from "./errors.js";
import { epochMilliseconds, type Duration } from "./duration.js";
import { definitionOf } from "./definition.js";
import { flag, oneOf, refuseUnknown, text } from "./options.js";
import { checkedMiddleware } from "./engine/checked-middleware.js";
import { createEngine } from "./engine/create-engine.js";
import { bindEngine } from "./engine/engine-of.js";
import type { Engine } from "./engine/engine-types.js";
import { enqueueJob, enqueueJobs } from "./engine/enqueue.js";
import { checkedId } from "./engine/enqueue-options.js";
import { flush } from "./engine/flush.js";
import { readFeed, type FeedOptions } from "./engine/feed.js";
import { createLimit } from "./engine/limit.js";
import { createLock, createLocks } from "./engine/lock.js";
import { prepareJob } from "./engine/prepare.js";
import { readCounts, readJob, readJobs, readWhy } from "./engine/reading.js";
import { reportEffects } from "./engine/report.js";
import { createResult } from "./engine/result.js";
import { createSchedules } from "./engine/schedules.js";
import { readStats } from "./engine/statistics.js";
import { movingRun } from "./engine/run-scope.js";
import { createValues } from "./engine/values.js";
import type { ControlAnswer, ControlRequest } from "./storage.js";
import type { BatchOptions, EnqueueOptions, Many, RevokeOptions } from "./vocabulary/enqueue-options.js";
import type { EventType, QueueEvent } from "./vocabulary/events.js";
import type { JobFilter } from "./vocabulary/introspection.js";
import type { LimitOptions, LockOptions, SemaphoreOptions } from "./vocabulary/locks.js";
import type { Middleware } from "./vocabulary/middleware.js";
import type { FlushOptions, Queue, QueueOptions } from "./vocabulary/queue.js";
import type { TaskNames } from "./vocabulary/registered.js";
import type { Entry, Job } from "./vocabulary/task-and-job.js";
import type { TaskReference } from "./vocabulary/task-reference.js";

/**
 * A storage and the tasks it is used with. Opens at its first use; `close` it, or let `await using` do so.
 *
 * @throws `TASKQ_OPTION` for an option that is none, `TASKQ_DUPLICATE_TASK` for two tasks of one name
 * @example
 * export const queue = createQueue({ storage: sqliteStorage({ path: "jobs.db" }), tasks });
 * const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
 */
export function createQueue<const Exports extends object>(
  options: QueueOptions & {
    /** What is no task is ignored, so that a whole module may be given. */
    readonly tasks: Exports;
  },
): Queue<TaskNames<Exports>> {
  const { engine, tasks, close } = createEngine(options, () => queue);
  const queue = Object.freeze({
    ...membersOf(engine),
    name: engine.name,
    tasks,
    close,
    [Symbol.asyncDispose]: close,
  });
  bindEngine(queue, engine);
  // What it does with a job is decided at run time; its type says which jobs the compiler lets through.
  return queue;
}

type Members = Omit<Queue<string>, "name" | "tasks" | "close" | typeof Symbol.asyncDispose>;

function membersOf(engine: Engine): Members {
  const ask = async (task: string | undefined, change: ControlRequest["change"]): Promise<ControlAnswer> => {
    await engine.open();
    const request = { queue: engine.name, task, change, now: engine.time.requestNow() };
    try {
      return await engine.storage.control(request);
    } catch (error) {
      return engine.storage.control({ ...request, run: movingRun(engine, error) });
    }
  };
  // What comes in and goes out is erased here: the types of `Queue` are what users are held to.
  const members = {
    values: createValues(engine),
    schedules: createSchedules(engine),
    locks: createLocks(engine),
    enqueue: (job: Job, options?: EnqueueOptions) => enqueueJob(engine, job, options),
    prepare: (job: Job, options?: EnqueueOptions) => prepareJob(engine, job, options),
    enqueueMany: (jobs: Many<Entry>, options?: BatchOptions) => enqueueJobs(engine, jobs, options),
    result: (...given: readonly [string] | readonly [TaskReference, string]) =>
      createResult(engine, checkedId(given.length === 1 ? given[0] : given[1], "result id"), {
        existing: false,
        ofFlow: false,
      }),
    revoke: async (task: TaskReference, options: RevokeOptions = {}) =>
      void (await ask(definitionOf(task).name, revocation(options))),
    restore: async (task: TaskReference) => (await ask(definitionOf(task).name, { kind: "restore" })).changed,
    isRevoked: async (task: TaskReference) =>
      (await ask(definitionOf(task).name, { kind: "inspect" })).revoked,
    pause: async (task?: TaskReference) => void (await ask(nameIfAny(task), { kind: "pause" })),
    resume: async (task?: TaskReference) => {
      await ask(nameIfAny(task), { kind: "resume" });
      await engine.runInline?.();
    },
    lock: (name: string, options?: LockOptions) => createLock(engine, name, options),
    semaphore: (name: string, options: SemaphoreOptions) => createLock(engine, name, options, true),
    limit: (name: string, options: LimitOptions) => createLimit(engine, name, options),
    counts: async (options: { readonly by?: "task" } = {}) => {
      refuseUnknown(options, ["by"], "counts");
      return readCounts(
        engine,
        options.by === undefined ? undefined : oneOf(options.by, ["task"], "counts by"),
      );
    },
    jobs: (filter: JobFilter = {}) => readJobs(engine, filter),
    job: (id: string) => readJob(engine, id),
    why: (id: string) => readWhy(engine, id),
    stats: (options: { readonly window?: Duration; readonly by?: "task" } = {}) => readStats(engine, options),
    retry: (id: string) => retry(engine, id),
    flush: (options: FlushOptions) => flush(engine, options),
    on: (types: EventType | readonly EventType[] | "*", listener: (event: QueueEvent) => unknown) =>
      engine.events.on(types, listener),
    events: (options: FeedOptions = {}) => readFeed(engine, options),
    use: (middleware: Middleware) => use(engine, middleware),
  } satisfies Record<keyof Members, unknown>;
  return members as unknown as Members;
}

function nameIfAny(task: TaskReference | undefined): string | undefined {
  return task === undefined ? undefined : definitionOf(task).name;
}

function use(engine: Engine, middleware: Middleware): Disposable {
  engine.middleware.push(checkedMiddleware(middleware));
  let isUsed = true;
  return {
    [Symbol.dispose]: () => {
      // It may be used twice, and this is but one of the uses.
      if (!isUsed) return;
      isUsed = false;
      const index = engine.middleware.indexOf(middleware);
      if (index >= 0) engine.middleware.splice(index, 1);
    },
  };
}

function revocation(options: RevokeOptions): ControlRequest["change"] {
  refuseUnknown(options, ["once", "until"], "revoke");
  const { once = false } = options;
  if (flag(once, "revoke once") && options.until !== undefined) {
    throw new TaskqError("TASKQ_OPTION", "revoke: expected either once or until, got both");
  }
  const until = options.until === undefined ? undefined : epochMilliseconds(options.until, "revoke until");
  return { kind: "revoke", once, until };
}

async function retry(engine: Engine, id: string): Promise<boolean> {
  const ids = [text(id, "retry id")];
  await engine.open();
  const { changed, effects } = await engine.storage.amend({
    queue: engine.name,
    ids,
    change: { kind: "retry" },
    now: engine.time.requestNow(),
  });
  reportEffects(engine, effects);
  if (changed.length > 0) await engine.runInline?.();
  return changed.length > 0;
}
