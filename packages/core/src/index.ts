/** `@taskq/core`: tasks, jobs, queues, results. */
export { asCompleted } from "./as-completed.js";
export { exponential, fixed, linear } from "./backoff.js";
export type {
  Backoff,
  BackoffPolicy,
  ExponentialBackoff,
  FailedAttempt,
  JitterOption,
  LinearBackoff,
} from "./backoff.js";
export type { Clock } from "./clock.js";
export { Cancel, Fatal, Retry } from "./control-flow.js";
export type { Duration, When } from "./duration.js";
export {
  JobCancelledError,
  JobExpiredError,
  JobFailedError,
  JobSkippedError,
  ResultTimeoutError,
  TaskqError,
  TimeoutError,
} from "./errors.js";
export type { FailureReport, JobError, TaskqErrorCode } from "./errors.js";
export { cancelMove, moveQueue } from "./engine/move-queue.js";
export type { CancelMoveOptions, MoveOptions, MoveProgress, MoveReport } from "./engine/move.js";
export { group } from "./group.js";
export { periodic } from "./periodic.js";
export { createQueue } from "./queue.js";
export { every } from "./schedule/every.js";
export { cron } from "./schedule/cron.js";
export type { CronOptions } from "./schedule/cron.js";
export type { CronField, CronFields } from "./schedule/cron-fields.js";
export type { Schedule } from "./schedule/schedule.js";
export { compressed } from "./serializer/compressed.js";
export { jsonSerializer } from "./serializer/json-serializer.js";
export type { MessageContext, Seal, SealedContent, Serializer } from "./serializer/serializer.js";
export { task } from "./task.js";
export type * from "./vocabulary.js";
