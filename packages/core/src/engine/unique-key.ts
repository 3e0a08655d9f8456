import { createHash } from "node:crypto";
import { ignoreRejection } from "../ignore-rejection.js";
import { BROKEN, unexpectedSecret } from "../options.js";
import { LONGEST_KEY, type CheckedKey } from "../task-options.js";
import { isPlainObject } from "../serializer/inspect.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";

/** A key: fixed, or made from the input. @throws `TASKQ_OPTION` for one that is no text */
export function keyFrom(key: CheckedKey, input: unknown, what: string): string {
  const made: unknown = typeof key === "function" ? key(input) : key;
  if (typeof made !== "string" || made.length === 0 || made.length > LONGEST_KEY) {
    ignoreRejection(made);
    throw unexpectedSecret(what, `a text of 1 to ${LONGEST_KEY} characters`, made);
  }
  if (!BROKEN.test(made)) return made;
  throw unexpectedSecret(what, "a text of whole characters", made);
}

/**
 * The key of a unique job that names none: a hash of the encoded input, inside a seal, whose bytes differ each time. The
 * order in which the fields of an object were written does not count.
 */
export function keyOfInput(serializer: Serializer, input: unknown, context: MessageContext): string {
  const inner = serializer.seal?.inner ?? serializer;
  return createHash("sha256")
    .update(inner.encode(ordered(input), context))
    .digest("base64url");
}

function ordered(input: unknown): unknown {
  try {
    return byName(input, new Map());
  } catch {
    // It cannot be read, or is too deep: the serializer says so.
    return input;
  }
}

/** The same value, with the fields of plain objects in the order of their names. */
function byName(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value) && !isPlainObject(value)) return value;
  if (seen.has(value)) return seen.get(value);
  // Of what is a part of itself, for the serializer to refuse.
  seen.set(value, value);
  const same = Array.isArray(value)
    ? value.map((member) => byName(member, seen))
    : Object.fromEntries(
        Object.entries(value)
          .toSorted(([one], [other]) => (one < other ? -1 : 1))
          .map(([name, member]) => [name, byName(member, seen)]),
      );
  seen.set(value, same);
  return same;
}
