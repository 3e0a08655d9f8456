import { types } from "node:util";
import { stringify, unflatten } from "devalue";
import { errorData, type ErrorData, errorFromData, isError } from "./error-data.js";
import type { Limits } from "./limits.js";
import type { Refusal } from "./refusal.js";
import { bytesPrefix, malformed, richFault } from "./rich-shape.js";

// devalue would write the whole memory behind a view, so bytes have a form of our own.
const reducers = {
  Error: (value: unknown): ErrorData | false => isError(value) && errorData(value),
  Bytes: (value: unknown): string | false =>
    typeof value === "object" && types.isUint8Array(value) && bytesText(value),
};

const revivers = {
  Error: errorFromData,
  Bytes: (text: string): Uint8Array => new Uint8Array(Buffer.from(text.slice(bytesPrefix.length), "base64")),
};

// As in plain JSON, an object without a prototype comes back as an ordinary one.
const operations = { createNullPrototypeObject: (): object => ({}) };

function bytesText({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return bytesPrefix + Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** The text of a value that `inspect` called rich: the format of devalue 6, with bytes and errors added. */
export function richText(value: unknown): string {
  return stringify(value, reducers);
}

/**
 * The value of what `JSON.parse` made of a rich text, or why it is refused.
 *
 * devalue follows references by recursion and knows types that we never write, so the shape is
 * checked before it is let at it.
 */
export function richValue(
  parsed: unknown,
  limits: Limits,
): { readonly value: unknown } | { readonly refusal: Refusal } {
  const refusal = richFault(parsed, limits);
  if (refusal !== undefined) return { refusal };
  try {
    return { value: unflatten(parsed as number | unknown[], revivers, { operations }) };
  } catch (error) {
    // Not known to happen after the check; a newer devalue may refuse more than we know of.
    return { refusal: malformed(String(error)) };
  }
}
