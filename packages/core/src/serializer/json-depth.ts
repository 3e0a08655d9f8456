const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [BRACKET, BRACKET_END] = [0x5b, 0x5d];
const [BRACE, BRACE_END] = [0x7b, 0x7d];

/**
 * Whether these bytes, if they are JSON, nest deeper than that. Found out before anything is parsed: a text that is all
 * brackets takes far longer to parse than any message of its size.
 */
export function nestsDeeper(bytes: Uint8Array, levels: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfText(bytes, at + 1);
    else if (byte === BRACKET || byte === BRACE) {
      depth += 1;
      if (depth > levels) return true;
    } else if (byte === BRACKET_END || byte === BRACE_END) depth -= 1;
  }
  return false;
}

/** Bytes within which the end of a text is looked for one by one: the call of a search costs as much. */
const NEAR = 32;

/** Where the quote stands that ends it. */
function endOfText(bytes: Uint8Array, from: number): number {
  let near = from;
  for (const end = Math.min(from + NEAR, bytes.length); near < end; near += 1) {
    const byte = bytes[near];
    if (byte === QUOTE) return near;
    if (byte === BACKSLASH) near += 1;
  }
  for (let at = near; ;) {
    at = bytes.indexOf(QUOTE, at);
    if (at < 0) return bytes.length;
    let escapes = 0;
    while (bytes[at - 1 - escapes] === BACKSLASH && at - 1 - escapes >= near) escapes += 1;
    if (escapes % 2 === 0) return at;
    at += 1;
  }
}
