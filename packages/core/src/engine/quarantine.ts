/** Jobs that cannot be read: why, and what is stored of them. */
import type { JobError } from "../errors.js";
import type { JobRecord } from "../storage.js";
import type { Outcome, Quarantine } from "../vocabulary/introspection.js";
import { withoutStack } from "./failure.js";
import { isRecord } from "./is-record.js";

/**
 * Why a job is quarantined, as data. Without a stack, which would only name the lines that read it, and without causes,
 * whose messages may quote what was read.
 */
export function quarantineError(cause: unknown): JobError {
  const { message, code } = withoutStack(cause);
  return {
    name: "TaskqError",
    message: `the job cannot be read: ${message}`,
    stack: undefined,
    code: "TASKQ_QUARANTINED",
    details: code === undefined ? undefined : { code },
  };
}

/** @param record read with `whole` */
export function quarantineOf(record: JobRecord, outcome: Outcome | undefined): Quarantine | undefined {
  if (record.state !== "quarantined" || outcome?.state !== "quarantined") return undefined;
  const { message, details, code } = outcome.error;
  const inner = isRecord(details) ? details["code"] : undefined;
  return {
    reason: message,
    code: typeof inner === "string" ? inner : code,
    since: record.finishedAt === undefined ? undefined : new Date(record.finishedAt),
    bytes: record.detail?.body ?? new Uint8Array(),
  };
}
