/** A user's serializer, so that what it throws on bytes it cannot read is always an error of ours. */
import { TaskqError } from "../errors.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";
import { errorText } from "./failure.js";

const LONGEST_REASON = 500;

/** Two queues with one serializer have one of these as well: a move between them tells by it that bytes stay as they are. */
const guarded = new WeakMap<Serializer, Serializer>();

/** Answers the same, and throws what the serializer throws only where that is a `TaskqError`. */
export function guardedSerializer(serializer: Serializer): Serializer {
  const known = guarded.get(serializer) ?? guardedAnew(serializer);
  guarded.set(serializer, known);
  return known;
}

function guardedAnew(serializer: Serializer): Serializer {
  return {
    id: serializer.id,
    seal: serializer.seal,
    encode: (value, context) => serializer.encode(value, context),
    decode(bytes, context) {
      try {
        return serializer.decode(bytes, context);
      } catch (error) {
        throw error instanceof TaskqError ? error : unreadable(error, serializer, context);
      }
    },
  };
}

function unreadable(error: unknown, { id }: Serializer, context: MessageContext): TaskqError {
  const what = `${context.purpose}, id '${context.id}': the serializer '${id}' cannot read these bytes`;
  // A parser's message quotes what it parsed.
  if (error instanceof SyntaxError) return new TaskqError("TASKQ_INPUT", what);
  return new TaskqError("TASKQ_INPUT", `${what}: ${errorText(error).slice(0, LONGEST_REASON)}`, {
    cause: error,
  });
}
