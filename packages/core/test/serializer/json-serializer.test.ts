import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { jsonSerializer } from "../../src/serializer/json-serializer.ts";
import { context } from "./context.ts";

const serializer = jsonSerializer();
const encode = (value: unknown): Uint8Array => serializer.encode(value, context);
const roundTrip = (value: unknown): unknown => serializer.decode(encode(value), context);
const textOf = (value: unknown): string => Buffer.from(encode(value)).toString();

describe("plain values", () => {
  test("plain data is stored as the JSON that JSON.stringify writes", () => {
    const value = { v: 1, task: "add", input: { a: 1, list: [true, null, "ü 😀 \ud800", -1.5e300] } };
    expect(textOf(value)).toBe(JSON.stringify(value));
    expect(roundTrip(value)).toEqual(value);
  });

  test("any JSON value comes back equal, from JSON or, with -0 in it, from the rich format", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        fc.pre(!JSON.stringify(value).includes("__proto__"));
        expect(roundTrip(value)).toStrictEqual(value);
      }),
      { seed: 1 },
    );
  });

  test("an object without a prototype comes back as an ordinary one, from both formats", () => {
    const bare: unknown = Object.assign(Object.create(null), { a: 1 });
    expect(textOf(bare)).toBe('{"a":1}');
    expect(roundTrip(bare)).toStrictEqual({ a: 1 });
    expect(roundTrip([bare, 1n])).toStrictEqual([{ a: 1 }, 1n]);
  });

  test("objects of another realm are plain", () => {
    const foreign: unknown = runInNewContext("({ a: [1, { b: new Date(0) }], m: new Map([[1, 2]]) })");
    expect(roundTrip(foreign)).toEqual({ a: [1, { b: new Date(0) }], m: new Map([[1, 2]]) });
    expect(textOf(runInNewContext("({ a: [1] })"))).toBe('{"a":[1]}');
  });

  test("dates that a fake clock makes are dates, also once the clock is the real one again; those of a class are none", () => {
    class Day extends Date {}
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers();
    const faked = new Date(5);
    expect(roundTrip({ at: faked })).toEqual({ at: new Date(5) });
    expect(() => encode({ at: new Day(5) })).toThrow("at is an instance of Day");
    vi.useRealTimers();
    expect(roundTrip({ at: faked })).toEqual({ at: new Date(5) });

    vi.setSystemTime(0);
    expect(roundTrip({ at: new Date(7) })).toEqual({ at: new Date(7) });
  });

  test("a getter is read and a key of an enumerable polluted prototype is not", () => {
    const polluted = Object.prototype as { extra?: () => void };
    polluted.extra = () => {};
    try {
      expect(
        textOf({
          get a() {
            return 1;
          },
        }),
      ).toBe('{"a":1}');
    } finally {
      delete polluted.extra;
    }
  });

  test("bytes that were answered are not written to again", () => {
    const first = encode({ a: 1 });
    for (let index = 0; index < 5_000; index++) encode({ index });
    expect(Buffer.from(first).toString()).toBe('{"a":1}');
  });

  test("a view into a larger buffer is decoded by itself", () => {
    const bytes = Buffer.from('xx{"a":1}yy');
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + 2, 7);
    expect(serializer.decode(view, context)).toEqual({ a: 1 });
  });
});

describe("rich values", () => {
  const rich: [string, unknown][] = [
    ["a Date", { at: new Date("2024-02-29T12:00:00.123Z") }],
    ["a Date before the year 0", new Date(-1e14)],
    ["an invalid Date", new Date(Number.NaN)],
    ["a bigint", { big: -(2n ** 80n) }],
    ["undefined", undefined],
    ["a property that is undefined", { a: undefined, b: 1 }],
    ["an element that is undefined", [undefined, 1]],
    ["NaN", Number.NaN],
    ["the infinities", [Infinity, -Infinity]],
    ["-0", { zero: -0 }],
    [
      "a Map with keys of all kinds",
      new Map<unknown, unknown>([
        ["a", 1],
        [1, new Set([1n])],
        [{}, undefined],
      ]),
    ],
    ["a Set", new Set(["a", new Date(0), [1]])],
    ["no bytes", new Uint8Array()],
    ["texts that look like ours", { a: "base64:AAAA", b: ["Date", "x"], c: -1, d: 1n, e: ["Error", 0] }],
  ];
  test.each(rich)("%s comes back as it was", (_, value) => {
    expect(textOf(value).startsWith("~")).toBe(true);
    expect(roundTrip(value)).toStrictEqual(value);
  });

  test("bytes come back as a Uint8Array of their own, without what lay beside them", () => {
    const secret = Buffer.from("secret beside the bytes");
    const view = secret.subarray(7, 13);
    for (const bytes of [view, new Uint8Array(secret.buffer, view.byteOffset, 6)]) {
      const back = (roundTrip({ bytes }) as { bytes: Uint8Array }).bytes;
      expect(back.constructor).toBe(Uint8Array);
      expect(Buffer.from(back).toString()).toBe("beside");
      expect(back.buffer.byteLength).toBe(6);
    }
  });

  test("an error comes back as a plain Error with name, message, stack, cause and code", () => {
    const error = Object.assign(new TypeError("wrong", { cause: new RangeError("inner") }), {
      code: "E_WRONG",
      other: 1,
    });
    const back = roundTrip({ error }) as { error: Error & { code: unknown; cause: Error } };
    expect(Object.getPrototypeOf(back.error)).toBe(Error.prototype);
    expect(back.error.name).toBe("TypeError");
    expect(back.error.message).toBe("wrong");
    expect(back.error.stack).toBe(error.stack);
    expect(back.error.code).toBe("E_WRONG");
    expect(back.error.cause).toBeInstanceOf(Error);
    expect(back.error.cause.name).toBe("RangeError");
    expect("other" in back.error).toBe(false);
    expect(Object.keys(back.error)).toEqual(["code"]);
  });

  test("an error without a cause or code comes back without, and one whose cause is undefined with it", () => {
    expect(Object.hasOwn(roundTrip(new Error("a")) as Error, "cause")).toBe(false);
    expect(Object.hasOwn(roundTrip(new Error("a")) as Error, "code")).toBe(false);
    expect(Object.hasOwn(roundTrip(new Error("a", { cause: undefined })) as Error, "cause")).toBe(true);
  });

  test("any rich value comes back equal", () => {
    const key = fc.string().filter((text) => text !== "__proto__");
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.double(),
          fc.bigInt(),
          fc.date({ noInvalidDate: false }),
          fc.uint8Array(),
          fc.constantFrom(null, undefined, true, -0),
        ),
        fc.array(tie("tree")),
        fc.dictionary(key, tie("tree"), { noNullPrototype: true }),
        fc.array(fc.tuple(tie("tree"), tie("tree"))).map((entries) => new Map(entries)),
        fc.array(tie("tree")).map((values) => new Set(values)),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const bytes = encode(value);
        expect(Buffer.from(encode(value)).equals(bytes)).toBe(true);
        const back = serializer.decode(bytes, context);
        expect(back).toStrictEqual(value);
        expect(Buffer.from(encode(back)).equals(bytes)).toBe(true);
      }),
      { numRuns: 300, seed: 2 },
    );
  }, 120_000);

  test("an object that is held twice comes back equal in both places", () => {
    const shared = { at: new Date(0) };
    expect(roundTrip({ a: shared, b: shared })).toStrictEqual({
      a: { at: new Date(0) },
      b: { at: new Date(0) },
    });
  });
});
