/** Inputs that somebody might have written to do harm; the same ones for the same random numbers. */
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";
import { integerBetween } from "../random.js";

/** From 0 up to but without 1. */
export type Random = () => number;

/** Names that every object has, names of ours, and names that are odd. */
const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "toJSON",
  "then",
  "length",
  "v",
  "task",
  "input",
  "options",
  "headers",
  "guards",
  "gates",
  "unique",
  "after",
  "stage",
  "extra",
  "keyed",
  "retries",
  "timeout",
  "backoff",
  "kind",
  "base",
  "step",
  "max",
  "factor",
  "jitter",
  "version",
  "expiresAt",
  "schedule",
  "job",
  "overlap",
  "misfire",
  "expression",
  "timeZone",
  "before",
  "members",
  "mode",
  "body",
  "handler",
  "name",
  "message",
  "stack",
  "code",
  "details",
  "cause",
  "delivery",
  "instant",
  "",
  " ",
  "é",
  "\u0000",
  "\ud800",
];
const WORDS = [
  "add",
  "pipe",
  "error",
  "run",
  "group",
  "guarded",
  "all",
  "settled",
  "cron",
  "every",
  "fixed",
  "linear",
  "exponential",
  "none",
  "full",
  "equal",
  "skip",
  "once",
  "allow",
  "queue",
  "at-most-once",
  "UTC",
  "Europe/Paris",
  "* * * * *",
  "0 0 30 2 *",
  "@daily",
  "1m",
  "1ms",
  "36500d",
  "9".repeat(400),
  "-1",
  "1e999",
  "../../etc/passwd",
];
export const NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  2,
  -1,
  0.5,
  1e21,
  1e308,
  2 ** 31,
  2 ** 53,
  -(2 ** 53),
  8.64e15,
  8.65e15,
  5e-324,
  255,
  65_536,
];

export function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)] as Value;
}

/** A value as JSON.parse makes them, own keys `__proto__` too; some are no JSON. */
export function anyValue(random: Random, levels = 5): unknown {
  const kind = random();
  if (levels === 0 || kind < 0.35) return anyLeaf(random);
  const size = integerBetween(random, 0, 5);
  if (kind < 0.55) return Array.from({ length: size }, () => anyValue(random, levels - 1));
  const object = {};
  for (let index = 0; index < size; index += 1) {
    const value = anyValue(random, levels - 1);
    Object.defineProperty(object, pick(random, NAMES), {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}

function anyLeaf(random: Random): unknown {
  const kind = random();
  if (kind < 0.3) return pick(random, WORDS);
  if (kind < 0.45) return pick(random, NAMES);
  if (kind < 0.75) return pick(random, NUMBERS);
  if (kind < 0.85) return anyText(random, 40);
  return pick<unknown>(random, [null, true, false, undefined, "", Number.NaN]);
}

/** Any characters, or those of these words. */
export function anyText(random: Random, longest: number, words?: readonly string[]): string {
  const length = integerBetween(random, 0, longest);
  if (words !== undefined) return Array.from({ length }, () => pick(random, words)).join("");
  return Array.from({ length }, () => String.fromCharCode(Math.floor(random() ** 3 * 65_536))).join("");
}

/** JSON, or nearly: a value that was changed, escaped or cut off here and there. */
export function jsonText(random: Random): string {
  const text = JSON.stringify(anyValue(random)) ?? "";
  const kind = random();
  if (kind < 0.5) return text;
  if (kind < 0.6) return text.replaceAll("_", String.raw`\u005f`);
  if (kind < 0.7) return text.slice(0, Math.floor(random() * text.length));
  if (kind < 0.8) return text.replaceAll(/\d+/g, () => pick(random, ["1e999", "-0", "00", "1.", "٣"]));
  const at = Math.floor(random() * text.length);
  return (
    text.slice(0, at) +
    pick(random, ["{", "}", "[", "]", '"', ",", ":", "\\", "\u0000", "~"]) +
    text.slice(at)
  );
}

/** The rich format, or nearly: cells that refer to each other. */
function richText(random: Random): string {
  const count = integerBetween(random, 1, 12);
  const reference = (): unknown =>
    random() < 0.9 ? integerBetween(random, -7, count) : pick<unknown>(random, [1.5, "0", null, 2 ** 40]);
  const cell = (): unknown => {
    const references = Array.from({ length: integerBetween(random, 0, 4) }, reference);
    const kind = random();
    if (kind < 0.25) return references;
    if (kind < 0.4) return Object.fromEntries(references.map((each) => [pick(random, NAMES), each]));
    if (kind < 0.9) {
      const tag = pick(random, [
        "Map",
        "Set",
        "Date",
        "BigInt",
        "Bytes",
        "Error",
        "null",
        "RegExp",
        "Object",
        "URL",
      ]);
      return [tag, ...(random() < 0.7 ? references : [anyLeaf(random)])];
    }
    return anyLeaf(random);
  };
  return `~${JSON.stringify(Array.from({ length: count }, cell))}`;
}

/** What inflates to sixteen mebibytes, behind the marks of `compressed`. */
const ZEROS = Buffer.alloc(16_777_216);
const QUICK = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const BOMBS: readonly Uint8Array[] = [
  Buffer.concat([Uint8Array.of(0xf9), gzipSync(ZEROS)]),
  Buffer.concat([Uint8Array.of(0xfa), brotliCompressSync(ZEROS, QUICK)]),
  Buffer.concat([Uint8Array.of(0xfb), deflateSync(ZEROS)]),
];

/** How many inputs there are to one that is large, deep or a bomb. */
const LARGE_EVERY = 400;

/** @param written Bytes as they should be: most harm looks nearly right */
export function hostileBytes(random: Random, written: readonly Uint8Array[]): Uint8Array {
  if (random() < 1 / LARGE_EVERY) return largeBytes(random);
  const kind = random();
  if (kind < 0.15) return randomBytes(random, integerBetween(random, 0, 300));
  if (kind < 0.4) return damaged(random, pick(random, written));
  if (kind < 0.55) return Buffer.from(richText(random));
  if (kind < 0.65) {
    const marked = Buffer.concat([
      Uint8Array.of(integerBetween(random, 0xf7, 0xfc)),
      Buffer.from(jsonText(random)),
    ]);
    return random() < 0.5 ? marked : damaged(random, pick(random, BOMBS).subarray(0, 200));
  }
  return Buffer.from(jsonText(random));
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

/** Bits flipped, cut off, extended, or a part of it twice. */
function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  const kind = random();
  if (kind < 0.2) return bytes.subarray(0, Math.floor(random() * bytes.length));
  if (kind < 0.3) return Buffer.concat([bytes, randomBytes(random, integerBetween(random, 1, 20))]);
  if (kind < 0.4) {
    const at = Math.floor(random() * bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes]);
  }
  const changed = Uint8Array.from(bytes);
  for (let flips = integerBetween(random, 1, 8); flips > 0; flips -= 1) {
    const at = Math.floor(random() * changed.length);
    if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return changed;
}

function largeBytes(random: Random): Uint8Array {
  const size = integerBetween(random, 1_000, 1_200_000);
  const kind = random();
  if (kind < 0.25) return pick(random, BOMBS);
  if (kind < 0.4) return new Uint8Array(size).fill(0x20 + Math.floor(random() * 96));
  if (kind < 0.6) {
    const open = pick(random, ["[", '{"a":', '{"input":', '[{"v":', "~[["]);
    return Buffer.from(open.repeat(Math.ceil(size / open.length)));
  }
  if (kind < 0.75) return Buffer.from(`"${"\\".repeat(size)}"`);
  const cells = Array.from({ length: Math.ceil(size / 20) }, (_, at) => `["Set",${at + 1},${at + 1}]`);
  return Buffer.from(`~[${cells.join()},0]`);
}
