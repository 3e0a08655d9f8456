/** What is stored and told of an error: without its stack, and redacted, where the queue says so. */
import type { JobError } from "../errors.js";
import { ignoreRejection } from "../ignore-rejection.js";
import type { FailedRun } from "../vocabulary/queue.js";
import type { Engine } from "./engine-types.js";
import { cappedError } from "./failure.js";
import { isRecord } from "./is-record.js";

/** Never throws: where `redact` does, nothing of the error is told. */
export function toldError({ stacks, redact }: Engine, error: JobError, job: FailedRun): JobError {
  const told = stacks ? error : { ...error, stack: undefined };
  if (redact === undefined) return told;
  try {
    const redacted: unknown = redact(told, job);
    if (ignoreRejection(redacted) || !isRecord(redacted)) {
      return untold("redact answered no error; expected an object with name and message", error);
    }
    const { name, message, stack, code, details } = redacted;
    return cappedError({ name, message, stack: stacks ? stack : undefined, code, details });
  } catch {
    // What it threw may quote what was to be taken out.
    return untold("redact threw", error);
  }
}

function untold(why: string, { code }: JobError): JobError {
  const own = code?.startsWith("TASKQ_") === true ? code : undefined;
  const message = `nothing is told of this error: ${why}`;
  return { name: "Error", message, stack: undefined, code: own, details: undefined };
}
