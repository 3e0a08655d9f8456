import { describe, expect, test } from "vitest";
import { jsonSerializer } from "../../src/serializer/json-serializer.ts";
import { context, errorOf } from "./context.ts";

const wide = jsonSerializer({ maxSize: 67_108_864, maxDepth: 500 });

function nested(depth: number, innermost: unknown, wrap: (value: unknown) => unknown): unknown {
  let value = innermost;
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
}

describe("size", () => {
  const small = jsonSerializer({ maxSize: 100 });

  test("a value of exactly the limit passes both ways, and one byte more neither", () => {
    const fits = "a".repeat(98);
    const bytes = small.encode(fits, context);
    expect(bytes.length).toBe(100);
    expect(small.decode(bytes, context)).toBe(fits);
    const writing = errorOf("TASKQ_TOO_LARGE", () => small.encode(`${fits}a`, context));
    expect(writing.message).toContain("takes 101 bytes; the limit is 100 bytes");
    const reading = errorOf("TASKQ_TOO_LARGE", () => small.decode(wide.encode(`${fits}a`, context), context));
    expect(reading.message).toContain("takes 101 bytes; the limit is 100 bytes");
  });

  test("bytes are counted, not characters", () => {
    const error = errorOf("TASKQ_TOO_LARGE", () => small.encode("ü".repeat(50), context));
    expect(error.message).toContain("takes 102 bytes");
  });

  test("rich values are bounded too", () => {
    for (const value of [new Uint8Array(100), [1n, "a".repeat(100)], new Set(Array(101).keys())]) {
      expect(errorOf("TASKQ_TOO_LARGE", () => small.encode(value, context)).code).toBe("TASKQ_TOO_LARGE");
      expect(errorOf("TASKQ_TOO_LARGE", () => small.decode(wide.encode(value, context), context)).code).toBe(
        "TASKQ_TOO_LARGE",
      );
    }
  });

  test.each([
    ["plain", 1],
    ["rich", 1n],
  ])("a small %s object that unfolds to 2^60 values is refused at once", (_, leaf) => {
    const started = performance.now();
    const bomb = nested(60, leaf, (value) => [value, value]);
    const error = errorOf("TASKQ_TOO_LARGE", () => jsonSerializer().encode(bomb, context));
    expect(error.message).toMatch(/at least \d+ bytes; the limit is 1048576 bytes/);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test("a text of the rich format that unfolds to 2^60 values is refused at once", () => {
    const cells = Array.from({ length: 60 }, (_, index) => `[${index + 1},${index + 1}]`);
    const bytes = Buffer.from(`~[${cells.join(",")},1]`);
    expect(errorOf("TASKQ_TOO_LARGE", () => jsonSerializer().decode(bytes, context)).code).toBe(
      "TASKQ_TOO_LARGE",
    );
  });

  test("what may be written may be read, however often parts of it are repeated", () => {
    const parts = [new Uint8Array(), new Error(""), new Map([[1, 1n]]), undefined, new Date(0)];
    for (const part of parts) {
      if (part instanceof Error) delete part.stack;
      const row = Array<unknown>(10).fill(part);
      const value = Array<unknown>(10).fill(row);
      for (let maxSize = 50; maxSize < 3_000; maxSize += 7) {
        const serializer = jsonSerializer({ maxSize });
        let bytes: Uint8Array;
        try {
          bytes = serializer.encode(value, context);
        } catch {
          continue;
        }
        expect(serializer.decode(bytes, context)).toEqual(value);
      }
      expect(jsonSerializer().decode(jsonSerializer().encode(value, context), context)).toEqual(value);
    }
  });
});

describe("depth", () => {
  const wraps: [string, (value: unknown) => unknown][] = [
    ["arrays", (value) => [value]],
    ["objects", (value) => ({ value })],
    ["maps", (value) => new Map([[1, value]])],
    ["keys of maps", (value) => new Map([[value, 1]])],
    ["sets", (value) => new Set([value])],
    ["errors", (cause) => new Error("", { cause })],
    ["objects without a prototype around rich data", (v) => Object.assign(Object.create(null), { v, n: 1n })],
  ];
  test.each(wraps)("%s nest 200 levels both ways, and 201 neither", (_, wrap) => {
    const serializer = jsonSerializer();
    const deepest = nested(200, 1, wrap);
    expect(serializer.decode(serializer.encode(deepest, context), context)).toBeDefined();
    const deeper = wrap(deepest);
    const message = "nests at least 201 levels deep; the limit is 200 levels";
    const writing = errorOf("TASKQ_TOO_LARGE", () => serializer.encode(deeper, context));
    expect(writing.message).toContain(message);
    const bytes = wide.encode(deeper, context);
    const reading = errorOf("TASKQ_TOO_LARGE", () => serializer.decode(bytes, context));
    expect(reading.message).toContain(message);
  });

  test.each(wraps)("%s nest as deep as the option allows at most", (_, wrap) => {
    const bytes = wide.encode(nested(500, 1, wrap), context);
    expect(wide.decode(bytes, context)).toBeDefined();
  });

  test("the depth of a short text is bounded too", () => {
    const shallow = jsonSerializer({ maxDepth: 2 });
    expect(shallow.decode(Buffer.from("[[]]"), context)).toEqual([[]]);
    expect(errorOf("TASKQ_TOO_LARGE", () => shallow.decode(Buffer.from("[[[]]]"), context)).code).toBe(
      "TASKQ_TOO_LARGE",
    );
    expect(errorOf("TASKQ_TOO_LARGE", () => shallow.encode([[[]]], context)).code).toBe("TASKQ_TOO_LARGE");
  });

  test("a value nested 100,000 levels is refused, not a stack overflow", () => {
    for (const [, wrap] of wraps) {
      expect(
        errorOf("TASKQ_TOO_LARGE", () => jsonSerializer().encode(nested(100_000, 1, wrap), context)).code,
      ).toBe("TASKQ_TOO_LARGE");
    }
  });
});
