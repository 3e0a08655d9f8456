import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TaskqError } from "../../src/errors.ts";
import { compressed } from "../../src/serializer/compressed.ts";
import { jsonSerializer } from "../../src/serializer/json-serializer.ts";
import { context, errorOf } from "./context.ts";

const serializer = jsonSerializer();
const decode = (text: string): unknown => serializer.decode(Buffer.from(text), context);

describe("bytes that were not written by it", () => {
  test.each([[""], ["\u0001"], [" {}"], ["ü"], ["Infinity"], ["\ufeff{}"], ["\u00f8"]])(
    "an unknown first byte is refused by the name of the format: %j",
    (text) => {
      const { message } = errorOf("TASKQ_INPUT", () => decode(text));
      expect(message).toContain("task 'add', id '7': expected bytes of jsonSerializer");
    },
  );

  test.each([["{"], ["[1"], ["tru"], ["{}x"], ['"a'], ["01"], ["~"], ["~["]])(
    "a text cut off or damaged is refused: %s",
    (text) => {
      expect(errorOf("TASKQ_INPUT", () => decode(text)).message).toContain("no valid JSON");
    },
  );

  test("bytes that are no UTF-8 are refused, not replaced", () => {
    const bytes = Buffer.from([0x22, 0xff, 0x22]);
    const { message } = errorOf("TASKQ_INPUT", () => serializer.decode(bytes, context));
    expect(message).toContain("no valid UTF-8");
  });

  test.each([
    ['{"__proto__":{"polluted":1}}'],
    ['[{"a":{"__proto__":null}}]'],
    [String.raw`{"\u005f_proto__":1}`],
    [String.raw`{"__pr\u006Fto__":1}`],
    ['~[{"__proto__":1},1]'],
    ['~[["null","__proto__",1],1]'],
  ])("the key __proto__ is refused: %s", (text) => {
    expect(errorOf("TASKQ_INPUT", () => decode(text)).message).toContain("'__proto__'");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("the text __proto__ as a value is welcome", () => {
    expect(decode('{"a":"__proto__","b":"\\u005f"}')).toEqual({ a: "__proto__", b: "_" });
  });

  test.each([
    ["{}"],
    ["[]"],
    ["1"],
    ["-2"],
    ["-7"],
    ["null"],
    ["[[0]]"],
    ["[[1],[0]]"],
    ["[[1]]"],
    ["[[-2]]"],
    ["[[-7,5,0,1],1]"],
    ["[[1.5],1]"],
    ['[{"a":"b"}]'],
    ['[["Map",1],1]'],
    ['[["null",1,1],1]'],
    ['[["Date",1]]'],
    ['[["Date","today"]]'],
    ['[["BigInt","0x10"]]'],
    ['[["RegExp","(a+)+$"]]'],
    ['[["URL","http://a.b"]]'],
    ['[["Uint8Array",1],["ArrayBuffer","AAAA"]]'],
    ['[["Object",1],1]'],
    ['[["constructor",1],1]'],
    ['[["Bytes",1],1]'],
    ['[["Bytes",1],"AAAA"]'],
    ['[["Bytes","base64:AAAA"]]'],
    ['[["Bytes",-1]]'],
    ['[["Error",1],{"name":2},"Error"]'],
    ['[["Error",1],{"name":2,"message":1},"Error"]'],
    ['[["Error",1],{"name":2,"message":2,"cause":0},"Error"]'],
    ['[["Error",0]]'],
    ['[["Error",{"name":"a","message":"b"}]]'],
  ])("rich text that is never written is refused: %s", (text) => {
    expect(errorOf("TASKQ_INPUT", () => decode(`~${text}`)).message).toContain("rich JSON");
  });

  test("an error is never made of a class looked up by its name", () => {
    const error = decode('~[["Error",1],{"name":2,"message":3},"Function","text"]') as Error;
    expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
    expect(error.name).toBe("Function");
    expect(error.stack).toBeUndefined();
  });

  const deepTexts: [string, string][] = [
    ["arrays", "[".repeat(20_000) + "]".repeat(20_000)],
    ["objects", '{"a":'.repeat(20_000) + "1" + "}".repeat(20_000)],
    ["arrays of a mebibyte", "[".repeat(524_288) + "]".repeat(524_288)],
    ["rich cells", `~[${Array.from({ length: 20_000 }, (_, i) => `[${i + 1}]`).join(",")},1]`],
    ["rich maps", `~[${Array.from({ length: 20_000 }, (_, i) => `["Map",${i + 1},-1]`).join(",")},1]`],
  ];
  test.each(deepTexts)("%s nested 20,000 levels are refused quickly", (_, text) => {
    const started = performance.now();
    expect(errorOf("TASKQ_TOO_LARGE", () => decode(text)).code).toBe("TASKQ_TOO_LARGE");
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test.each([["~" + "[".repeat(20_000) + "]".repeat(20_000)], ["[".repeat(20_000)]])(
    "other deep nesting is refused before it is parsed",
    (text) => {
      expect(errorOf("TASKQ_TOO_LARGE", () => decode(text)).code).toBe("TASKQ_TOO_LARGE");
    },
  );
});

describe("depth that is found before parsing", () => {
  test.each([
    ["brackets in texts", JSON.stringify({ a: "[".repeat(1_000), b: `"${"{".repeat(1_000)}` })],
    [
      "escaped quotes and backslashes",
      JSON.stringify(['"[', '\\"'.repeat(500), "\\".repeat(501), "[".repeat(600)]),
    ],
    ["many containers beside each other", JSON.stringify(Array.from({ length: 1_000 }, () => [[{}]]))],
    ["as many levels as there may be", `${"[".repeat(200)}"${"x".repeat(1_000)}"${"]".repeat(200)}`],
  ])("%s are no depth", (_, text) => {
    expect(decode(text)).toEqual(JSON.parse(text));
  });

  test("one level too many is refused wherever it stands", () => {
    const text = `["${"x".repeat(1_000)}${"\\".repeat(6)}",${"[".repeat(200)}${"]".repeat(200)}]`;
    expect(errorOf("TASKQ_TOO_LARGE", () => decode(text)).code).toBe("TASKQ_TOO_LARGE");
  });
});

describe("damage", () => {
  const value = {
    v: 1,
    list: [1, "ü", null, { at: new Date(0), big: 12n, bytes: new Uint8Array([1, 2, 3]) }],
    map: new Map<unknown, unknown>([["a", new Set([undefined, -0])]]),
    error: Object.assign(new TypeError("x", { cause: new Error("y") }), { stack: "at test" }),
  };
  const plain = { v: 1, task: "add", input: { a: [1, 2.5, true, null], text: "ü😀\ud800\n" } };
  const long = { text: "lorem ipsum ".repeat(40) };
  const tight = { over: 0 };
  const all = [
    { with: serializer, bytes: serializer.encode(plain, context) },
    { with: serializer, bytes: serializer.encode(value, context) },
    ...(["gzip", "brotli", "deflate"] as const).map((format) => {
      const packed = compressed(serializer, { ...tight, format });
      return { with: packed, bytes: packed.encode(long, context) };
    }),
  ];

  const outcomes = new Set(["read", "TASKQ_INPUT", "TASKQ_TOO_LARGE"]);

  function outcomeOf({ with: reader }: (typeof all)[number], bytes: Uint8Array): string {
    try {
      reader.decode(bytes, context);
      return "read";
    } catch (error) {
      if (error instanceof TaskqError) return error.code;
      throw error;
    }
  }

  test("every single flipped bit and every cut is read as something or refused with our error", () => {
    const seen = new Set<string>();
    for (const sample of all) {
      for (let bit = 0; bit < sample.bytes.length * 8; bit++) {
        const bytes = Uint8Array.from(sample.bytes);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        seen.add(outcomeOf(sample, bytes));
      }
      for (let end = 0; end < sample.bytes.length; end++)
        seen.add(outcomeOf(sample, sample.bytes.subarray(0, end)));
    }
    expect([...seen].filter((outcome) => !outcomes.has(outcome))).toEqual([]);
    expect(seen.size).toBeGreaterThan(1);
  }, 120_000);

  test("random bytes, with each of the first bytes that are known, too", () => {
    const first = fc.constantFrom(0x7e, 0x7b, 0x5b, 0x22, 0xf8, 0xf9, 0xfa, 0xfb);
    fc.assert(
      fc.property(first, fc.uint8Array({ maxLength: 200 }), (mark, rest) => {
        for (const sample of all) {
          expect(outcomes).toContain(outcomeOf(sample, Uint8Array.from([mark, ...rest])));
        }
      }),
      { seed: 1 },
    );
  });

  test("random cells in the shape of the rich format, too", () => {
    const part = fc.oneof(
      fc.integer({ min: -8, max: 8 }),
      fc.constantFrom("Map", "Set", "Error", "Bytes", "Date", "null", "base64:", "BigInt", "__proto__", "1"),
    );
    const record = fc.dictionary(fc.constantFrom("name", "message", "stack", "cause", "a"), part, {
      noNullPrototype: true,
    });
    const cells = fc.array(fc.oneof(part, fc.array(part, { maxLength: 4 }), record), { maxLength: 8 });
    fc.assert(
      fc.property(cells, (list) => {
        expect(outcomes).toContain(outcomeOf(all[0]!, Buffer.from(`~${JSON.stringify(list)}`)));
      }),
      { numRuns: 3_000, seed: 2 },
    );
  });
});
