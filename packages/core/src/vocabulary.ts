/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The words of taskq: every public interface, in files that hold types only, so that neither values
 * nor types form a circle. What names each other stands in one file (`task-and-job.ts`); all others
 * import only downwards.
 */
export type * from "./vocabulary/enqueue-options.js";
export type * from "./vocabulary/events.js";
export type * from "./vocabulary/introspection.js";
export type * from "./vocabulary/keep.js";
export type * from "./vocabulary/locks.js";
export type * from "./vocabulary/logger.js";
export type * from "./vocabulary/middleware.js";
export type * from "./vocabulary/queue.js";
export type { Registered, TaskNames } from "./vocabulary/registered.js";
export type * from "./vocabulary/resources.js";
export type * from "./vocabulary/result.js";
export type * from "./vocabulary/schedules.js";
export type * from "./vocabulary/standard-schema.js";
export type * from "./vocabulary/storage.js";
export type {
  AnyTask,
  Entry,
  Job,
  JobOf,
  NamesOf,
  Periodic,
  Task,
  TaskContext,
  Yield,
} from "./vocabulary/task-and-job.js";
export type * from "./vocabulary/task-options.js";
export type * from "./vocabulary/task-reference.js";
export type * from "./vocabulary/values.js";
