import { TaskqError } from "../errors.js";
import { integer, refuseUnknown } from "../options.js";
import { inspect } from "./inspect.js";
import { nestsDeeper } from "./json-depth.js";
import { defaultMaxSize, type Limits, rememberMaxSize } from "./limits.js";
import { holdsPrototype, isPlain } from "./plain.js";
import { refusalError, tooDeep, tooManyBytes } from "./refusal.js";
import { richText, richValue } from "./rich.js";
import type { MessageContext, Serializer } from "./serializer.js";

/** What a rich text begins with, so that its first byte tells it from JSON; no JSON begins with it. */
const richMark = "~";
const richByte = 0x7e;
/** A rich text is a list of cells, and nests no deeper whatever its value does. */
const RICH_DEPTH = 4;

// Bytes that are no UTF-8 are damage, not a text with replacement characters in it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * JSON that keeps `Date`, `bigint`, bytes, `Map`, `Set`, `undefined`, `Error`, and refuses what cannot travel.
 *
 * What JSON keeps by itself is written as JSON in UTF-8, so that it can be read in the storage.
 * Anything else is written as `~` and the text format of devalue 6. NaN, infinities and -0 are kept.
 *
 * - Bytes (`Uint8Array`, `Buffer`) come back as `Uint8Array`.
 * - Errors come back as a plain `Error` with the own properties `name`, `message`, `stack`, and
 *   `cause` and `code` where there were any; other properties of an error do not travel.
 * - Objects without a prototype come back as ordinary ones. Getters are read like any property.
 * - An object that is referred to twice comes back as two equal ones from JSON, as one from the rich
 *   format; do not build on either. It counts twice towards `maxSize`.
 * - Keys keep their order, so objects are the same bytes only if their keys have the same order.
 *
 * Refused are functions, symbols, promises, instances of classes (of subclasses of the above too),
 * other typed arrays, `URL`, `RegExp`, sparse arrays, objects that contain themselves, keys that are
 * symbols, and the key `__proto__`; the message says where.
 *
 * @throws `TASKQ_OPTION`; encoding and decoding `TASKQ_INPUT` for what cannot travel or was not written
 *   by it, `TASKQ_TOO_LARGE` for what exceeds a limit
 *
 * @example
 * const queue = createQueue({ storage, tasks, serializer: jsonSerializer({ maxSize: 65_536 }) });
 */
export function jsonSerializer(
  options: {
    /** In bytes, up to 64 MiB. @default 1_048_576 */
    readonly maxSize?: number;
    /** Containers inside each other, up to 500. @default 200 */
    readonly maxDepth?: number;
  } = {},
): Serializer {
  refuseUnknown(options, ["maxSize", "maxDepth"], "jsonSerializer");
  const { maxSize = defaultMaxSize, maxDepth = 200 } = options;
  const limits: Limits = {
    maxSize: integer(maxSize, "jsonSerializer: maxSize", { min: 1, max: 67_108_864 }),
    maxDepth: integer(maxDepth, "jsonSerializer: maxDepth", { min: 1, max: 500 }),
  };
  const serializer: Serializer = {
    id: "json",
    encode: (value, context) => encode(value, limits, context),
    decode: (bytes, context) => decode(bytes, limits, context),
  };
  return rememberMaxSize(serializer, limits.maxSize);
}

function encode(value: unknown, limits: Limits, context: MessageContext): Uint8Array {
  const { maxSize } = limits;
  const text = textOf(value, limits, context);
  // A text has no more characters than bytes, so that one far too large is not copied to be measured.
  const bytes = text.length > maxSize ? undefined : Buffer.from(text);
  if (bytes !== undefined && bytes.length <= maxSize) return bytes;
  throw refusalError(tooManyBytes(bytes?.length ?? Buffer.byteLength(text), maxSize), context);
}

function textOf(value: unknown, limits: Limits, context: MessageContext): string {
  try {
    if (isPlain(value, limits)) return JSON.stringify(value);
    const verdict = inspect(value, limits);
    if (verdict === "plain") return JSON.stringify(value);
    if (verdict === "rich") return richMark + richText(value);
    throw refusalError(verdict, context);
  } catch (error) {
    if (error instanceof TaskqError) throw error;
    // A getter or a proxy of the value threw.
    const reason = "the value could not be read";
    throw refusalError({ code: "TASKQ_INPUT", reason }, context, error);
  }
}

function decode(bytes: Uint8Array, limits: Limits, context: MessageContext): unknown {
  if (bytes.length > limits.maxSize) {
    throw refusalError(tooManyBytes(bytes.length, limits.maxSize), context);
  }
  const first = bytes[0];
  const isRich = first === richByte;
  if (!isRich && !beginsJson(first)) throw unknownFormat(first, context);
  const levels = isRich ? Math.max(limits.maxDepth, RICH_DEPTH) : limits.maxDepth;
  // A level takes two characters: most messages need no look.
  if (bytes.length > 2 * levels && nestsDeeper(bytes, levels)) {
    throw refusalError(tooDeep(limits.maxDepth), context);
  }
  const text = textFrom(bytes, context);
  return isRich
    ? decodeRich(parse(text.slice(richMark.length), context), limits, context)
    : decodePlain(text, context);
}

function decodePlain(text: string, context: MessageContext): unknown {
  const value = parse(text, context);
  // Only an escape could hide the key: most texts need no walk.
  if (!text.includes("__proto__") && !text.includes("\\u")) return value;
  if (!holdsPrototype(value)) return value;
  const reason = "these bytes hold a key '__proto__', which is never written";
  throw refusalError({ code: "TASKQ_INPUT", reason }, context);
}

function decodeRich(parsed: unknown, limits: Limits, context: MessageContext): unknown {
  const result = richValue(parsed, limits);
  if ("refusal" in result) throw refusalError(result.refusal, context);
  return result.value;
}

function parse(text: string, context: MessageContext): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without its cause, whose message quotes the text.
    const reason = "these bytes are no valid JSON; they are damaged or cut off";
    throw refusalError({ code: "TASKQ_INPUT", reason }, context);
  }
}

function textFrom(bytes: Uint8Array, context: MessageContext): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    const reason = "these bytes are no valid UTF-8; they are damaged or cut off";
    throw refusalError({ code: "TASKQ_INPUT", reason }, context, error);
  }
}

/** `{ [ "`, a digit, `-`, or the first letter of true, false and null. */
function beginsJson(first: number | undefined): boolean {
  switch (first) {
    case 0x7b:
    case 0x5b:
    case 0x22:
    case 0x2d:
    case 0x74:
    case 0x66:
    case 0x6e:
      return true;
    default:
      return first !== undefined && first >= 0x30 && first <= 0x39;
  }
}

function unknownFormat(first: number | undefined, context: MessageContext): TaskqError {
  const came =
    first === undefined ? "there are none" : `the first is 0x${first.toString(16).padStart(2, "0")}`;
  const reason =
    `expected bytes of jsonSerializer, JSON or '${richMark}' and rich JSON, but ${came}; ` +
    "were they written with another serializer, such as compressed()?";
  return refusalError({ code: "TASKQ_INPUT", reason }, context);
}
