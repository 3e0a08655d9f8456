/** Errors as data. */
import { inspect } from "node:util";
import { TaskqError, type JobError } from "../errors.js";
import { isError } from "../serializer/error-data.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";
import { isRecord } from "./is-record.js";

const MAX_MESSAGE = 10_000;
const MAX_STACK = 20_000;
const MAX_CAUSES = 5;
/** Of an error that stands for several. */
const MAX_PARTS = 5;
/** Of an error as it is stored, in bytes; one that is larger goes without its details. */
const MAX_BYTES = 131_072;
/** Of the message of an error of which nothing more can be stored, in characters. */
const SHORTEST_MESSAGE = 100;

/** A thrown value as data; causes are told at the end of the stack. Never throws. */
export function describeError(error: unknown, details: unknown): JobError {
  try {
    return isError(error) ? describeThrown(error, details) : plainError(shownValue(error), details);
  } catch {
    // Its name, message or stack is a getter that throws.
    return plainError("an error that cannot be described", details);
  }
}

/** The same without its stack, which takes longer to be told than most jobs take to run. Never throws. */
export function withoutStack(error: unknown): JobError {
  try {
    if (!isError(error)) return describeError(error, undefined);
    const code: unknown = "code" in error ? error.code : undefined;
    return cappedError({
      name: error.name,
      message: messageOf(error),
      stack: undefined,
      code,
      details: undefined,
    });
  } catch {
    return describeError(undefined, undefined);
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
  const { name, stack }: { name: unknown; stack?: unknown } = error;
  const code: unknown = "code" in error ? error.code : undefined;
  const whole = typeof stack === "string" ? stackWithCauses(stack, error) : undefined;
  return cappedError({
    name,
    message: messageOf(error),
    stack: whole,
    code,
    details,
  });
}

/** What an error says, or those that it stands for: Node says nothing itself where it was refused at each address of a host. */
function messageOf(error: Error): unknown {
  // Declared as a text, yet anybody may have set it to anything.
  const { message }: { message: unknown } = error;
  if (message !== "") return message;
  const messages = partsOf(error).map((part) => (isError(part) ? part.message : shownValue(part)));
  return messages.join("; ");
}

/** The errors that one of them stands for, as `Promise.any` has it; where Jest runs the code, Node's own are of another realm. */
function partsOf(error: unknown): readonly unknown[] {
  const isOfSeveral =
    error instanceof AggregateError ||
    (isError(error) && error.name === "AggregateError" && "errors" in error);
  return isOfSeveral && Array.isArray(error.errors) ? error.errors.slice(0, MAX_PARTS) : [];
}

/** An error of these parts, whatever they are: texts, none longer than is stored. */
export function cappedError(parts: { readonly [Part in keyof JobError]: unknown }): JobError {
  const { name, message, stack, code, details } = parts;
  return {
    name: cut(textOr(name, "Error"), 200),
    message: cut(textOr(message, ""), MAX_MESSAGE),
    stack: typeof stack === "string" ? cut(stack, MAX_STACK) : undefined,
    code: typeof code === "string" || typeof code === "number" ? cut(String(code), 200) : undefined,
    details,
  };
}

/** Why a handler cancelled its job, as it is stored. */
export function cappedReason(reason: string): string {
  return cut(reason, MAX_MESSAGE);
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
    case "damaged":
      return {
        ...told,
        message: "the job cannot be read: what is stored of it is damaged",
        code: "TASKQ_QUARANTINED",
        details: { code: "TASKQ_STORAGE" },
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

/**
 * Encodes an error; one whose details cannot travel goes without them, one that is too large for the serializer is cut
 * short, and where even that is refused nothing is stored of it: the job ends all the same. Never throws.
 */
export function encodeError(serializer: Serializer, error: JobError, context: MessageContext): Uint8Array {
  let why = "";
  const encode = (told: JobError): Uint8Array | undefined => {
    try {
      const bytes = serializer.encode(compact(told), context);
      if (bytes.length <= MAX_BYTES) return bytes;
      why = `the error takes ${bytes.length} bytes; the limit is ${MAX_BYTES} bytes`;
    } catch (refusal) {
      why = errorText(refusal instanceof Error ? refusal.message : refusal);
    }
    return undefined;
  };
  const { name, message, code } = error;
  const rest = { stack: undefined, details: undefined };
  return (
    encode(error) ??
    encode({ ...error, details: whyLeftOut(why) }) ??
    encode({ ...error, ...rest, details: whyLeftOut(why) }) ??
    encode({ ...error, ...rest }) ??
    encode({ name: cut(name, SHORTEST_MESSAGE), message: cut(message, SHORTEST_MESSAGE), code, ...rest }) ??
    new Uint8Array()
  );
}

function whyLeftOut(why: string): string {
  return `left out, since they cannot be stored: ${cut(why, 500)}`;
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

/** The error that bytes hold, or why they cannot be read, for those who list what there is. */
export function readableError(serializer: Serializer, bytes: Uint8Array, context: MessageContext): JobError {
  try {
    return decodeError(serializer, bytes, context);
  } catch (failure) {
    return withoutStack(failure);
  }
}

/** Only what is there is written. */
function compact({ name, message, stack, code, details }: JobError): object {
  const told: { -readonly [Part in keyof JobError]?: JobError[Part] } = { name, message };
  if (stack !== undefined) told.stack = stack;
  if (code !== undefined) told.code = code;
  if (details !== undefined) told.details = details;
  return told;
}

/**
 * As many causes as there is room for, and what each stands for. Never throws: where one cannot be looked at, those before it
 * are told.
 */
function stackWithCauses(stack: string, error: Error): string {
  let told = stack;
  const tell = (how: string, thrown: unknown): void => {
    if (told.length <= MAX_STACK)
      told += `\n${how}: ${isError(thrown) ? String(thrown.stack) : shownValue(thrown)}`;
  };
  try {
    for (const part of partsOf(error)) tell("One of", part);
    let cause: unknown = error.cause;
    for (let depth = 0; depth < MAX_CAUSES && told.length <= MAX_STACK; depth += 1) {
      if (cause === undefined || cause === null) break;
      tell("Caused by", cause);
      for (const part of partsOf(cause)) tell("One of", part);
      cause = isError(cause) ? cause.cause : undefined;
    }
    return told;
  } catch {
    return `${told}\nCaused by: an error that cannot be described`;
  }
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
