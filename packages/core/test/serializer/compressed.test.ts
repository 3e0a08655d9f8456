import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { compressed } from "../../src/serializer/compressed.ts";
import { jsonSerializer } from "../../src/serializer/json-serializer.ts";
import type { Serializer } from "../../src/serializer/serializer.ts";
import { context, errorOf } from "./context.ts";

const formats = ["gzip", "brotli", "deflate"] as const;
const large = { text: "lorem ipsum dolor sit amet ".repeat(400), at: new Date(0) };
const raw: Serializer = {
  id: "raw",
  encode: (value) => value as Uint8Array,
  decode: (bytes) => Uint8Array.from(bytes),
};
const noise = Uint8Array.from({ length: 5_000 }, (_, index) => (index * index * 7_919 + (index >> 3)) % 251);

test.each([
  [undefined, "undefined"],
  [null, "null"],
  [{ id: "none" }, "an object"],
])("what is no serializer is not compressed: %j", (given, came) => {
  const { message } = errorOf("TASKQ_OPTION", () => compressed(given as never));
  expect(message).toBe(`compressed: expected a serializer with encode() and decode(), got ${came}`);
});

describe.each(formats)("compressed with %s", (format) => {
  const serializer = compressed(jsonSerializer(), { format });

  test("a large value becomes much smaller and comes back equal", () => {
    const bytes = serializer.encode(large, context);
    expect(bytes.length).toBeLessThan(500);
    expect(serializer.decode(bytes, context)).toStrictEqual(large);
  });

  test("the same value becomes the same bytes", () => {
    const first = serializer.encode(large, context);
    expect(Buffer.from(serializer.encode(large, context)).equals(first)).toBe(true);
  });

  test("a bomb is refused without being inflated", () => {
    const pack = { gzip: gzipSync, brotli: brotliCompressSync, deflate: deflateSync }[format];
    const mark = serializer.encode(large, context)[0]!;
    const bomb = Buffer.concat([Uint8Array.of(mark), pack(Buffer.alloc(50_000_000, 0x20))]);
    const before = process.memoryUsage().arrayBuffers;
    const error = errorOf("TASKQ_TOO_LARGE", () => serializer.decode(bomb, context));
    expect(error.message).toContain("takes at least 1048577 bytes; the limit is 1048576 bytes");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  test("bytes that are cut off are refused", () => {
    const bytes = serializer.encode(large, context);
    const { message } = errorOf("TASKQ_INPUT", () => serializer.decode(bytes.subarray(0, 50), context));
    expect(message).toContain(`do not inflate as ${format}`);
  });

  test("what was written with another format is read", () => {
    for (const other of formats) {
      const bytes = compressed(jsonSerializer(), { format: other }).encode(large, context);
      expect(serializer.decode(bytes, context)).toStrictEqual(large);
    }
  });

  test("the limit of the inner serializer holds for what is inflated, to the byte", () => {
    const inner = jsonSerializer({ maxSize: 10_000 });
    const fits = "a".repeat(9_998);
    const outer = compressed(inner, { format });
    expect(outer.decode(outer.encode(fits, context), context)).toBe(fits);
    const bytes = serializer.encode(`${fits}a`, context);
    expect(errorOf("TASKQ_TOO_LARGE", () => outer.decode(bytes, context)).code).toBe("TASKQ_TOO_LARGE");
    expect(errorOf("TASKQ_TOO_LARGE", () => compressed(outer).decode(bytes, context)).code).toBe(
      "TASKQ_TOO_LARGE",
    );
  });
});

describe("compressed", () => {
  test("bytes up to `over` are kept as they are behind a first byte, and above it compressed", () => {
    const serializer = compressed(raw, { over: 1_000 });
    const kept = serializer.encode(new Uint8Array(1_000), context);
    expect(kept.length).toBe(1_001);
    expect(serializer.decode(kept, context)).toEqual(new Uint8Array(1_000));
    expect(serializer.encode(new Uint8Array(1_001), context).length).toBeLessThan(100);
  });

  test("the default of `over` is 4,096", () => {
    const serializer = compressed(raw);
    expect(serializer.encode(new Uint8Array(4_096), context).length).toBe(4_097);
    expect(serializer.encode(new Uint8Array(4_097), context).length).toBeLessThan(100);
  });

  test("what would not become smaller is kept as it is", () => {
    const packed = gzipSync(noise);
    const serializer = compressed(raw, { over: 0, format: "gzip" });
    expect(serializer.encode(packed, context).length).toBe(packed.length + 1);
    expect(serializer.decode(serializer.encode(packed, context), context)).toEqual(Uint8Array.from(packed));
    expect(serializer.decode(serializer.encode(new Uint8Array(), context), context)).toEqual(
      new Uint8Array(),
    );
  });

  test("bytes that were written before compression was turned on are read", () => {
    const before = jsonSerializer().encode(large, context);
    expect(compressed(jsonSerializer()).decode(before, context)).toStrictEqual(large);
  });

  test("the bytes of a serializer that is not ours are bounded to 1 MiB when written too", () => {
    const serializer = compressed(raw);
    expect(serializer.encode(new Uint8Array(1_048_576), context).length).toBeLessThan(1_000);
    expect(errorOf("TASKQ_TOO_LARGE", () => serializer.encode(new Uint8Array(1_048_577), context)).code).toBe(
      "TASKQ_TOO_LARGE",
    );
  });

  test("the serializer inside is told the context", () => {
    const seen: unknown[] = [];
    const watched: Serializer = {
      id: "watched",
      encode: (value, told) => (seen.push(told), value as Uint8Array),
      decode: (bytes, told) => (seen.push(told), bytes),
    };
    const serializer = compressed(watched);
    serializer.decode(serializer.encode(noise, context), context);
    expect(seen).toEqual([context, context]);
    expect(serializer.id).toBe("watched+brotli");
  });

  test("bytes of compressed() read without it are refused with a hint", () => {
    const bytes = compressed(jsonSerializer()).encode(1, context);
    const { message } = errorOf("TASKQ_INPUT", () => jsonSerializer().decode(bytes, context));
    expect(message).toContain("compressed()");
  });

  test.each([[{ over: -1 }], [{ over: 1.5 }], [{ format: "zstd" }], [{ level: 9 }], [null]])(
    "%o is refused",
    (options) => {
      expect(errorOf("TASKQ_OPTION", () => compressed(jsonSerializer(), options as never)).code).toBe(
        "TASKQ_OPTION",
      );
    },
  );
});
