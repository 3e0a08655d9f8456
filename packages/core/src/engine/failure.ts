/** Errors as data. */
import { inspect } from "node:util";
import { TaskqError, type JobError } from "../errors.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";
import { isRecord } from "./is-record.js";

const MAX_MESSAGE = 10_000;
const MAX_STACK = 20_000;
const MAX_CAUSES = 5;

/** A thrown value as data; causes are told at the end of the stack. Never throws. */
export function describeError(error: unknown, details: unknown): JobError {
  try {
    return error instanceof Error ? describeThrown(error, details) : plainError(shownValue(error), details);
  } catch {
    // Its name, message or stack is a getter that throws.
    return plainError("an error that cannot be described", details);
  }
}

/** A thrown value in one line. Never throws. */
export function errorText(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "an error that cannot be described";
  }
}

function plainError(message: string, details: unknown): JobError {
  return { name: "Error", message: cut(message, MAX_MESSAGE), stack: undefined, code: undefined, details };
}

function describeThrown(error: Error, details: unknown): JobError {
  // Declared as texts, yet anybody may have set them to anything.
  const { name, message, stack }: { name: unknown; message: unknown; stack?: unknown } = error;
  const code: unknown = "code" in error ? error.code : undefined;
  return {
    name: cut(textOr(name, "Error"), 200),
    message: cut(textOr(message, ""), MAX_MESSAGE),
    stack: typeof stack === "string" ? cut(stackWithCauses(stack, error), MAX_STACK) : undefined,
    code: typeof code === "string" || typeof code === "number" ? cut(String(code), 200) : undefined,
    details,
  };
}

/**
 * The error of a job that ended without its handler's word: its consumer died or was stopped, or no consumer knew its
 * task for as long as its queue says.
 */
export function storageFailure(reason: string | undefined, attempt: number): JobError {
  const told = { name: "TaskqError", stack: undefined };
  switch (reason) {
    case "crashed":
      return {
        ...told,
        message: `its consumer died in mid-run too often (runs begun: ${attempt})`,
        code: "TASKQ_CRASHED",
        details: undefined,
      };
    case "unknown-task":
      return {
        ...told,
        message: "no consumer knew its task for as long as the queue's unknownAfter says",
        code: "TASKQ_QUARANTINED",
        details: { code: "TASKQ_UNKNOWN_TASK" },
      };
    default:
      return {
        ...told,
        message: "its consumer died or stopped in mid-run, and it must not run twice",
        code: "TASKQ_INTERRUPTED",
        details: undefined,
      };
  }
}

/** Encodes an error; one whose details cannot travel goes without them. */
export function encodeError(serializer: Serializer, error: JobError, context: MessageContext): Uint8Array {
  try {
    return serializer.encode(compact(error), context);
  } catch (refusal) {
    const why = refusal instanceof Error ? refusal.message : String(refusal);
    return serializer.encode(
      compact({
        ...error,
        stack: undefined,
        details: `left out, since they cannot be stored: ${cut(why, 500)}`,
      }),
      context,
    );
  }
}

/** @throws `TASKQ_INPUT` for bytes that hold no error */
export function decodeError(serializer: Serializer, bytes: Uint8Array, context: MessageContext): JobError {
  const value = serializer.decode(bytes, context);
  if (!isRecord(value)) throw new TaskqError("TASKQ_INPUT", "a stored error is no object");
  return {
    name: textOr(value["name"], "Error"),
    message: textOr(value["message"], ""),
    stack: typeof value["stack"] === "string" ? value["stack"] : undefined,
    code: typeof value["code"] === "string" ? value["code"] : undefined,
    details: value["details"],
  };
}

function compact(error: JobError): object {
  return Object.fromEntries(Object.entries(error).filter(([, value]) => value !== undefined));
}

function stackWithCauses(stack: string, error: Error): string {
  const parts = [stack];
  let cause: unknown = error.cause;
  for (let depth = 0; depth < MAX_CAUSES && cause !== undefined && cause !== null; depth += 1) {
    parts.push(`Caused by: ${cause instanceof Error ? String(cause.stack) : shownValue(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return parts.join("\n");
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function shownValue(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return typeof value === "object" ? JSON.stringify(value) : inspect(value);
  } catch {
    return "a value that cannot be shown";
  }
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}
