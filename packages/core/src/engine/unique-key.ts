import { createHash } from "node:crypto";
import { BROKEN, unexpectedSecret } from "../options.js";
import type { CheckedKey } from "../task-options.js";
import type { MessageContext, Serializer } from "../serializer/serializer.js";

const LONGEST_KEY = 255;

/** A key: fixed, or made from the input. @throws `TASKQ_OPTION` for one that is no text */
export function keyFrom(key: CheckedKey, input: unknown, what: string): string {
  const made: unknown = typeof key === "function" ? key(input) : key;
  if (typeof made !== "string" || made.length === 0 || made.length > LONGEST_KEY) {
    throw unexpectedSecret(what, `a text of 1 to ${LONGEST_KEY} characters`, made);
  }
  if (!BROKEN.test(made)) return made;
  throw unexpectedSecret(what, "a text of whole characters", made);
}

/** The key of a unique job that names none: a hash of the encoded input, inside a seal, whose bytes differ each time. */
export function keyOfInput(serializer: Serializer, input: unknown, context: MessageContext): string {
  const inner = serializer.seal?.inner ?? serializer;
  return createHash("sha256").update(inner.encode(input, context)).digest("base64url");
}
