/** Bytes that are no message of a job, of every kind that damage and malice bring about. */
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const text = new TextEncoder();
const WRITTEN = '{"v":1,"task":"add","input":{"a":1},"headers":{"trace":"x"}}';

const ZIPPED = gzipSync(Buffer.alloc(200_000));
/** Sixteen mebibytes, if they were inflated. */
const BOMB = Buffer.concat([
  Uint8Array.of(0xfa),
  brotliCompressSync(Buffer.alloc(16_777_216), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
]);

type Make = (random: () => number) => Uint8Array;

const shapes: readonly unknown[] = [
  null,
  1,
  "add",
  [],
  {},
  { v: 1 },
  { task: "add" },
  { v: "1", task: "add" },
  { v: 2, task: "add" },
  { v: 0, task: "add" },
  { v: 1, task: "toString" },
  { v: 1, task: "constructor", input: { a: 1 } },
  { v: 1, task: ["add"] },
  { v: 1, task: "add", options: 1 },
  { v: 1, task: "add", options: { backoff: { kind: "constructor" } } },
  { v: 1, task: "add", headers: [] },
  { v: 1, task: "add", guards: {} },
  { v: 1, task: "add", stage: "pipe" },
  { v: 1, task: "add", expiresAt: 1 },
];

const kinds: readonly Make[] = [
  (random) => text.encode(WRITTEN.slice(0, Math.floor(random() * (WRITTEN.length - 1)))),
  (random) => Uint8Array.from({ length: Math.floor(random() * 200) }, () => 128 + Math.floor(random() * 112)),
  (random) => text.encode(JSON.stringify(shapes[Math.floor(random() * shapes.length)])),
  () => text.encode(`{"v":1,"task":"add","__proto__":{"polluted":true}}`),
  () => text.encode(String.raw`{"v":1,"task":"add","input":{"\u005f_proto__":{"polluted":true}}}`),
  () => text.encode("[".repeat(250)),
  () => text.encode(`{"v":1,"task":"add","input":${'{"a":'.repeat(220)}1${"}".repeat(220)}}`),
  () => text.encode(`~[[1,1,1],[2,2,2],[3,3,3],[4,4,4],[0]]`),
  (random) => text.encode(`${WRITTEN}${String.fromCharCode(33 + Math.floor(random() * 60))}`),
  () => ZIPPED,
  () => BOMB,
  () => new Uint8Array(),
];

/** One in so many is as large as few messages are, or larger than any may be. */
const LARGE_EVERY = 250;
const large: readonly Make[] = [
  (random) => new Uint8Array(1_100_000).fill(0x20 + Math.floor(random() * 90)),
  () => text.encode("[".repeat(20_000) + "]".repeat(20_000)),
  () => text.encode(`~[${Array.from({ length: 5_000 }, (_, at) => `["Map",${at + 1},${at + 1}]`).join()},0]`),
  () => text.encode(`{"v":1,"task":"add","input":"${"x".repeat(200_000)}`),
];

/**
 * So many bodies of jobs of a task `add` that no consumer with the default serializer can run: cut off, random, of the
 * wrong shape, too deep, too large, or made to burst when they are read. The same ones for the same seed.
 *
 * @example
 * for (const body of malformedMessages(500, 1)) await store(body);
 */
export function malformedMessages(count: number, seed: number): readonly Uint8Array[] {
  let state = seed >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: count }, (_, index) => {
    const made =
      index % LARGE_EVERY === LARGE_EVERY - 1
        ? large[Math.floor(index / LARGE_EVERY) % large.length]
        : undefined;
    if (made !== undefined) return made(random);
    return kinds[index % kinds.length]?.(random) ?? new Uint8Array();
  });
}
