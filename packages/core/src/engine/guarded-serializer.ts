/** A user's serializer, so that what it throws on bytes it cannot read is always an error of ours. */
import { types } from "node:util";
import { TaskqError } from "../errors.js";
import { ignoreRejection } from "../ignore-rejection.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";
import { errorText } from "./failure.js";

const LONGEST_REASON = 500;

/** Two queues with one serializer have one of these as well: a move between them tells by it that bytes stay as they are. */
const guarded = new WeakMap<Serializer, Serializer>();

/**
 * Answers the same. What it throws at bytes is a `TaskqError`; and what is none of a storage's to keep never comes to one, which
 * could not tell it from a fault of its own.
 */
export function guardedSerializer(serializer: Serializer): Serializer {
  const known = guarded.get(serializer) ?? guardedAnew(serializer);
  guarded.set(serializer, known);
  return known;
}

function guardedAnew(serializer: Serializer): Serializer {
  return {
    id: serializer.id,
    seal: serializer.seal,
    encode(value, context) {
      const bytes: unknown = serializer.encode(value, context);
      if (types.isUint8Array(bytes)) return bytes;
      throw noBytes(bytes, serializer, context);
    },
    decode(bytes, context) {
      let value: unknown;
      try {
        value = serializer.decode(bytes, context);
      } catch (error) {
        throw error instanceof TaskqError ? error : unreadable(error, serializer, context);
      }
      if (types.isPromise(value)) throw promised(value, serializer, context);
      return value;
    },
  };
}

function noBytes(came: unknown, { id }: Serializer, context: MessageContext): TaskqError {
  const kind = ignoreRejection(came) ? "a promise" : `a value of type ${typeof came}`;
  return new TaskqError(
    "TASKQ_INPUT",
    `${context.purpose}, id '${context.id}': expected a Uint8Array from encode() of the serializer '${id}', got ${kind}`,
  );
}

/** The type of `decode()` lets it be asynchronous: nobody would wait for it, nor hear that it rejects. */
function promised(value: Promise<unknown>, { id }: Serializer, context: MessageContext): TaskqError {
  ignoreRejection(value);
  return new TaskqError(
    "TASKQ_INPUT",
    `${context.purpose}, id '${context.id}': expected a value from decode() of the serializer '${id}', got a promise`,
  );
}

function unreadable(error: unknown, { id }: Serializer, context: MessageContext): TaskqError {
  const what = `${context.purpose}, id '${context.id}': the serializer '${id}' cannot read these bytes`;
  // A parser's message quotes what it parsed.
  if (error instanceof SyntaxError) return new TaskqError("TASKQ_INPUT", what);
  return new TaskqError("TASKQ_INPUT", `${what}: ${errorText(error).slice(0, LONGEST_REASON)}`, {
    cause: error,
  });
}
