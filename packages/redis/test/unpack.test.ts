import { TaskqError } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { pack } from "../src/wire/pack.js";
import { claimedRows } from "../src/wire/rows.js";
import { unpack, unpackAll } from "../src/wire/unpack.js";
import { seeded } from "./support/seeded.js";

/** `TASKQ_FUZZ=1000000` for as many inputs, as `pnpm fuzz` does. */
const INPUTS = Number(process.env["TASKQ_FUZZ"] ?? 20_000);
const SEED = Number(process.env["TASKQ_FUZZ_SEED"] ?? 1);

const packed = Buffer.from(
  pack({
    claimed: [
      { id: "1", task: "add", fence: 7, body: new Uint8Array(40), due: 1_700_000_000_000, once: true },
    ],
    counts: { add: { ready: 1 } },
    more: false,
    text: "é".repeat(300),
    list: Array.from({ length: 20 }, (_, index) => index * 1.5),
  }),
);

const CLAIM = { fence: 1, begin: 1, leaseUntil: 1, hangs: new Set<string>() };

describe("answers of scripts", () => {
  test.each([
    ["nothing", []],
    ["a text that is cut off", [0xa5, 0x61]],
    ["a record without its values", [0x81, 0xa1, 0x61]],
    ["a record whose name is no text", [0x81, 0x01, 0x01]],
    ["a list of four thousand million", [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ["a record of four thousand million", [0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 0x61, 0x01]],
    ["a text of four thousand million", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["lists inside each other", Array.from({ length: 100_000 }, () => 0x91)],
    ["a kind that is never packed", [0xc1]],
  ])("%s is refused with an error of ours", (_, bytes) => {
    expect(() => unpack(Buffer.from(bytes))).toThrow(expect.objectContaining({ code: "TASKQ_STORAGE" }));
  });

  test("a task named __proto__ is a name as any other, and changes no prototype", () => {
    const proto = Buffer.concat([
      Buffer.from([0x81, 0xa9]),
      Buffer.from("__proto__"),
      Buffer.from([0x81, 0xa1, 0x61, 1]),
    ]);
    const answer = unpack(proto) as object;
    expect(Object.getPrototypeOf(answer)).toBe(Object.prototype);
    expect(Object.entries(answer)).toEqual([["__proto__", { a: 1 }]]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  test(`${INPUTS} damaged answers and rows are read as something or refused, none for long`, () => {
    const random = seeded(SEED);
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    let longest = 0;
    for (let input = 0; input < INPUTS; input += 1) {
      const bytes =
        input % 2 === 0
          ? Buffer.from(Array.from({ length: Math.floor(random() * 120) }, () => Math.floor(random() * 256)))
          : Buffer.from(packed.subarray(0, 1 + Math.floor(random() * packed.length)));
      const flips = Math.floor(random() * 4);
      for (let flip = 0; flip < flips; flip += 1) {
        const at = Math.floor(random() * bytes.length);
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      }
      const from = performance.now();
      for (const read of [
        () => unpack(bytes),
        () => unpackAll(bytes, 3),
        () => claimedRows(pack(["0123456789abcd", bytes]), bytes, CLAIM),
        () => claimedRows(bytes, Buffer.alloc(0), CLAIM),
      ]) {
        try {
          read();
        } catch (error) {
          if (!(error instanceof TaskqError))
            throw new Error(`seed ${SEED}, input ${input}`, { cause: error });
        }
      }
      longest = Math.max(longest, performance.now() - from);
    }
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
    // A machine that is busy with other things takes the process away for longer than any input takes.
    expect(longest).toBeLessThan(1_000);
  }, 600_000);
});
