import { types } from "node:util";
import { integer, oneOf, refuseUnknown, unexpectedSecret } from "../options.js";
import { type CompressionFormat, deflate, inflate, markOf, storedMark } from "./compression.js";
import { maxSizeOf, rememberMaxSize } from "./limits.js";
import { atLeastBytes, refusalError, tooManyBytes } from "./refusal.js";
import { isSerializer, type MessageContext, type Serializer } from "./serializer.js";

/**
 * Any serializer, with what is larger than `over` compressed; inflating is bounded.
 *
 * The first byte says how the rest is kept, so that `over` and `format` may change at any time.
 * Bytes without such a first byte are handed to `serializer` as they are: compression can be turned
 * on while jobs that were stored without it still wait. What would not become smaller is kept as it is.
 *
 * The bound is the `maxSize` of a `jsonSerializer()`, 1 MiB for serializers that are not ours; it
 * holds for the bytes before compression.
 *
 * Around a serializer with a seal it goes inside the seal: `compressed(signedSerializer(options))` is
 * `signedSerializer({ ...options, serializer: compressed(jsonSerializer()) })`, and nothing is inflated before it is
 * verified.
 *
 * @throws `TASKQ_OPTION`; encoding and decoding `TASKQ_TOO_LARGE`, `TASKQ_INPUT` for bytes that do not
 *   inflate, and what `serializer` throws
 *
 * @example
 * const queue = createQueue({ storage, tasks, serializer: compressed(jsonSerializer(), { over: 1_024 }) });
 */
export function compressed(
  serializer: Serializer,
  options: {
    /** In bytes. @default 4_096 */
    readonly over?: number;
    /** @default 'brotli' */
    readonly format?: CompressionFormat;
  } = {},
): Serializer {
  if (!isSerializer(serializer)) {
    throw unexpectedSecret("compressed", "a serializer with encode() and decode()", serializer);
  }
  refuseUnknown(options, ["over", "format"], "compressed");
  const { over = 4_096, format = "brotli" } = options;
  integer(over, "compressed: over", { min: 0 });
  oneOf(format, ["gzip", "brotli", "deflate"], "compressed: format");
  const { seal } = serializer;
  if (seal !== undefined) return seal.around(compressed(seal.inner, options));
  const maxSize = maxSizeOf(serializer);
  const outer: Serializer = {
    id: `${serializer.id}+${format}`,
    encode(value, context) {
      const bytes = serializer.encode(value, context);
      if (bytes.length > maxSize) throw refusalError(tooManyBytes(bytes.length, maxSize), context);
      if (bytes.length <= over) return marked(storedMark, bytes);
      const smaller = deflate(bytes, format);
      return smaller.length < bytes.length ? marked(markOf(format), smaller) : marked(storedMark, bytes);
    },
    decode: (bytes, context) => serializer.decode(innerBytes(bytes, maxSize, context), context),
  };
  return rememberMaxSize(outer, maxSize);
}

function marked(mark: number, bytes: Uint8Array): Uint8Array {
  const result = Buffer.allocUnsafe(bytes.length + 1);
  result[0] = mark;
  result.set(bytes, 1);
  return result;
}

function innerBytes(bytes: Uint8Array, maxSize: number, context: MessageContext): Uint8Array {
  const result = inflate(bytes, maxSize);
  if (types.isUint8Array(result)) return result;
  if (result.fault === "large") throw refusalError(atLeastBytes(maxSize + 1, maxSize), context);
  const reason = `these bytes do not inflate as ${result.format}; they are damaged or cut off`;
  throw refusalError({ code: "TASKQ_INPUT", reason }, context, result.cause);
}
