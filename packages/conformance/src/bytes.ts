/** Bytes that a test can tell apart. */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a text. */
export function bytes(value: string): Uint8Array {
  return encoder.encode(value);
}

/** The text of bytes; `undefined` where there are none. */
export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : decoder.decode(value);
}
