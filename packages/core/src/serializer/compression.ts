import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from "node:zlib";

/** How `compressed` makes bytes smaller. */
export type CompressionFormat = "gzip" | "brotli" | "deflate";

// These bytes occur nowhere in UTF-8, so that they cannot be the beginning of any text.
export const storedMark = 0xf8;
const marks = { gzip: 0xf9, brotli: 0xfa, deflate: 0xfb } as const;

/** The byte in front of what was compressed with the format. */
export function markOf(format: CompressionFormat): number {
  return marks[format];
}

/** Synchronous; the same bytes for the same bytes, with the same version of Node. */
export function deflate(bytes: Uint8Array, format: CompressionFormat): Uint8Array {
  if (format === "gzip") return withoutPlatform(gzipSync(bytes));
  if (format === "deflate") return deflateSync(bytes);
  return brotliCompressSync(bytes, {
    params: {
      // Node's default, 11, takes over a second for a mebibyte of JSON; 4 takes about as long as
      // gzip, 5 ms, for about as many bytes.
      [constants.BROTLI_PARAM_QUALITY]: 4,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/** RFC 1952, 2.3: the tenth byte names the operating system; 255 is "unknown". */
function withoutPlatform(bytes: Uint8Array): Uint8Array {
  bytes[9] = 255;
  return bytes;
}

/** Why bytes could not be inflated. */
export interface InflateFault {
  readonly fault: "large" | "damaged";
  readonly format: CompressionFormat;
  readonly cause: unknown;
}

/** The bytes that were marked, at most `maxSize` of them; bytes that bear no mark as they are. */
export function inflate(bytes: Uint8Array, maxSize: number): Uint8Array | InflateFault {
  switch (bytes[0]) {
    case storedMark:
      return bytes.subarray(1);
    case marks.gzip:
      return attempt("gzip", gunzipSync, bytes, maxSize);
    case marks.brotli:
      return attempt("brotli", brotliDecompressSync, bytes, maxSize);
    case marks.deflate:
      return attempt("deflate", inflateSync, bytes, maxSize);
    default:
      return bytes;
  }
}

function attempt(
  format: CompressionFormat,
  inflateWith: (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array,
  bytes: Uint8Array,
  maxSize: number,
): Uint8Array | InflateFault {
  try {
    return inflateWith(bytes.subarray(1), { maxOutputLength: maxSize });
  } catch (cause) {
    const isLarge = (cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return { fault: isLarge ? "large" : "damaged", format, cause };
  }
}
