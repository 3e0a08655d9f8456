/** Whether a decoded message is one that this release may have written, so that nothing stumbles over it later. */
import { backoffFromData, type BackoffData } from "../backoff.js";
import { TaskqError } from "../errors.js";
import { isRecord } from "./is-record.js";
import type { JobMessage } from "./message.js";

const MOST_HEADERS = 64;

/**
 * The message, if all of it has the shape that is written. A job that says no more than its task and input, as most do,
 * is through at once.
 *
 * @throws `TASKQ_INPUT`, naming what is wrong and nothing of what it holds: the job is to be quarantined
 */
export function checkedMessage(message: JobMessage): JobMessage {
  const { stage, extra, options, headers, instant, version, expiresAt, delivery, keyed, guards } = message;
  if (stage !== undefined) check(stage === "pipe" || stage === "error", "stage");
  if (extra !== undefined) check(isRecord(extra), "extra");
  if (message.members !== undefined) check(typeof message.members === "string", "members");
  if (options !== undefined) checkOptions(options);
  if (headers !== undefined) check(isHeaders(headers), "headers");
  if (instant !== undefined) check(isInstant(instant), "instant");
  if (version !== undefined) check(Number.isSafeInteger(version) && version >= 1, "version");
  if (expiresAt !== undefined) check(isInstant(expiresAt), "expiresAt");
  if (delivery !== undefined) check(delivery === "at-most-once", "delivery");
  if (keyed !== undefined) check(typeof keyed === "string", "keyed");
  if (guards !== undefined) check(isGuards(guards), "guards");
  return message;
}

function check(right: boolean, field: string): void {
  if (right) return;
  throw new TaskqError(
    "TASKQ_INPUT",
    `the stored job is no message of taskq: its ${field} is not as it is written`,
  );
}

function checkOptions(options: unknown): void {
  check(isRecord(options), "options");
  const { retries, timeout, backoff } = options as Readonly<Record<string, unknown>>;
  if (retries !== undefined) check(isCount(retries), "options.retries");
  if (timeout !== undefined) check(isCount(timeout), "options.timeout");
  if (backoff !== undefined) check(isBackoff(backoff), "options.backoff");
}

function isBackoff(data: unknown): boolean {
  try {
    return isRecord(data) && typeof backoffFromData(data as unknown as BackoffData) === "function";
  } catch {
    return false;
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isInstant(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}

function isHeaders(headers: unknown): boolean {
  if (!isRecord(headers)) return false;
  const values = Object.values(headers);
  return values.length <= MOST_HEADERS && values.every((value) => typeof value === "string");
}

function isGuards(guards: unknown): boolean {
  if (!isRecord(guards)) return false;
  const { gates, unique, after } = guards;
  return isTexts(gates) && isTexts(after) && (unique === undefined || typeof unique === "string");
}

function isTexts(values: unknown): boolean {
  return Array.isArray(values) && values.every((value) => typeof value === "string");
}
