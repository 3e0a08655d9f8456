import { types } from "node:util";
import { backoffData, type BackoffData } from "../backoff.js";
import { dueInstant, epochMilliseconds, milliseconds } from "../duration.js";
import { integer, isNameless, refuseUnknown, text, unexpected, unexpectedSecret } from "../options.js";
import { checkedOptions, type CheckedUnique } from "../task-options.js";
import type { EnqueueOptions, JobHeaders } from "../vocabulary/enqueue-options.js";

/** What one job is enqueued with, checked; `undefined`: not said. */
export interface CheckedEnqueue {
  readonly id: string | undefined;
  readonly due: number | undefined;
  readonly priority: number | undefined;
  readonly expiresAt: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly retries: number | undefined;
  readonly backoff: BackoffData | undefined;
  readonly unique: CheckedUnique | undefined;
  readonly headers: JobHeaders | undefined;
  /** Of a schedule's jobs: the instant they stand for. */
  readonly instant: number | undefined;
}

export const enqueueOptionNames: readonly string[] = [
  "delay",
  "at",
  "id",
  "priority",
  "expires",
  "timeout",
  "retries",
  "backoff",
  "unique",
  "headers",
];
const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const ENQUEUE = "enqueue";
const LONGEST_ID = 255;
const MOST_HEADERS = 64;

/** Nothing said. */
export const NO_OPTIONS: CheckedEnqueue = Object.freeze({
  id: undefined,
  due: undefined,
  priority: undefined,
  expiresAt: undefined,
  timeoutMs: undefined,
  retries: undefined,
  backoff: undefined,
  unique: undefined,
  headers: undefined,
  instant: undefined,
});

/** @throws `TASKQ_OPTION` */
export function checkedEnqueue(
  options: EnqueueOptions,
  now: number,
  also: readonly string[] = [],
): CheckedEnqueue {
  refuseUnknown(options, [...enqueueOptionNames, ...also], "enqueue");
  const shared = checkedOptions(
    {
      ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
      ...(options.unique === undefined ? {} : { unique: options.unique }),
    },
    "enqueue",
  );
  return {
    id: options.id === undefined ? undefined : checkedId(options.id, "enqueue id"),
    due:
      options.delay === undefined && options.at === undefined
        ? undefined
        : dueInstant(options, now, "enqueue"),
    priority: options.priority === undefined ? undefined : checkedPriority(options.priority, ENQUEUE),
    expiresAt: expiryOf(options.expires, now),
    timeoutMs: shared.timeoutMs,
    retries:
      options.retries === undefined ? undefined : integer(options.retries, "enqueue retries", { min: 0 }),
    backoff: options.backoff === undefined ? undefined : backoffData(options.backoff),
    unique: shared.unique,
    headers: options.headers === undefined ? undefined : checkedHeaders(options.headers, ENQUEUE),
    instant: undefined,
  };
}

/**
 * The options of a batch, of which there may be no job. An id is that of one job: for the others it would answer the
 * first.
 *
 * @throws `TASKQ_OPTION`
 */
export function checkBatchOptions(options: EnqueueOptions | undefined, now: number): void {
  if (options === undefined) return;
  checkedEnqueue(options, now);
  if (options.id === undefined) return;
  throw unexpected("enqueueMany id", "none for all jobs, but one with its job, { job, id }", options.id);
}

function expiryOf(expires: EnqueueOptions["expires"], now: number): number | undefined {
  if (expires === undefined) return undefined;
  return types.isDate(expires)
    ? epochMilliseconds(expires, "enqueue expires")
    : now + milliseconds(expires, "enqueue expires");
}

/**
 * An id as callers give it.
 *
 * @param what names the place in the error, such as `result id`.
 * @throws `TASKQ_OPTION`
 */
export function checkedId(id: string, what: string): string {
  text(id, what);
  // Control characters would garble logs and listings; halves of characters become one and the same in a storage.
  if (id.length <= LONGEST_ID && !/[\p{Cc}\p{Cs}]/u.test(id)) return id;
  throw unexpected(
    what,
    `at most ${LONGEST_ID} characters, no control characters and no halves of characters`,
    id,
  );
}

/** @throws `TASKQ_OPTION` */
export function checkedPriority(priority: number, what: string): number {
  return integer(priority, `${what} priority`, INT32);
}

/** @throws `TASKQ_OPTION` */
export function checkedHeaders(headers: JobHeaders, what: string): JobHeaders {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers) || isNameless(headers)) {
    throw unexpectedSecret(`${what} headers`, "an object of texts", headers);
  }
  const entries = Object.entries(headers);
  if (entries.length > MOST_HEADERS) {
    throw unexpected(`${what} headers`, `at most ${MOST_HEADERS} headers`, entries.length);
  }
  for (const [name, value] of entries) {
    if (typeof value !== "string") throw unexpectedSecret(`${what} header '${name}'`, "a text", value);
  }
  return Object.freeze({ ...headers });
}
