/** `@taskq/core/engine`: a queue from inside, for `@taskq/consumer` and for storages. Not for users: it may change with any release. */
export { MISFIRE_TOLERANCE } from "./engine/misfire.js";
export { comeToRest } from "./engine/come-to-rest.js";
export type { Engine, EngineTime } from "./engine/engine-types.js";
export { engineOf } from "./engine/engine-of.js";
export { execute } from "./engine/execute.js";
export { revokeRun } from "./engine/invoke.js";
export type { FinishedRun } from "./engine/finished-run.js";
export { InlineRunner } from "./engine/inline.js";
export type { RunListener } from "./engine/inline.js";
export { JobRun } from "./engine/job-run.js";
export type { Run, RunHost } from "./engine/run.js";
export { isRefusal, refusedRun } from "./engine/refused-run.js";
export { prepareNow, preparedFlow } from "./engine/prepare.js";
export type { PreparedFlow } from "./engine/prepare.js";
export { reportEffects, reportLost, reportReaped, reportSettled } from "./engine/report.js";
export { PAUSE_AFTER_ERROR, Ticker } from "./engine/ticker.js";
export { epochMilliseconds, milliseconds } from "./duration.js";
export {
  abortSignal,
  callable,
  flag,
  integer,
  isNameless,
  oneOf,
  refuseUnknown,
  shown,
  text,
  unexpected,
  unexpectedSecret,
} from "./options.js";
export { maxSizeOf, rememberMaxSize } from "./serializer/limits.js";
export { systemClock } from "./clock.js";
export { onAbort } from "./on-abort.js";
export { later } from "./soon.js";
export { startTimer } from "./timer.js";
export { scheduleData } from "./schedule/schedule-data.js";
export type { ScheduleData } from "./schedule/schedule.js";
// What reads bytes that anybody may have written, for `pnpm fuzz`.
export { backoffFromData, retryPause } from "./backoff.js";
export { checkedMessage } from "./engine/checked-message.js";
export { decodeError } from "./engine/failure.js";
export { decodeMessage } from "./engine/message.js";
export { ruleOfRecord } from "./engine/stored-schedule.js";
export { mergeInput } from "./merge-input.js";
