import { describe, expect, test } from "vitest";
import { jsonSerializer } from "../../src/serializer/json-serializer.ts";
import { context, errorOf } from "./context.ts";

const serializer = jsonSerializer();
const refusal = (value: unknown): string =>
  errorOf("TASKQ_INPUT", () => serializer.encode(value, context)).message;

class User {
  readonly name = "Ann";
}

describe("what cannot travel is refused and the message says where", () => {
  const circle: Record<string, unknown> = { a: [] };
  (circle["a"] as unknown[]).push(circle);
  const map = new Map<unknown, unknown>([["x", 1]]);
  const hidden = Object.defineProperty({ a: 1 }, "toJSON", { value: () => "other" });
  const sparse = [1];
  sparse[2] = 3;
  const endless: unknown[] = [];
  endless.length = 4_294_967_295;
  const cases: [string, unknown, string][] = [
    ["a function", { input: { user: { callback() {} } } }, "input.user.callback is a function, callback()"],
    ["a function alone", () => 1, "the value is a function"],
    ["a symbol", { list: [1, [Symbol("x")]] }, "list[1][0] is a symbol"],
    [
      "an instance of a class",
      { input: { "the user": new User() } },
      'input["the user"] is an instance of User',
    ],
    ["an instance of a subclass", { map: new (class Kept extends Map {})() }, "map is an instance of Kept"],
    [
      "an instance of a subclass of Array",
      { a: new (class List extends Array {})() },
      "a is an instance of List",
    ],
    ["a promise", { input: Promise.resolve(1) }, "input is a promise (is an await missing?)"],
    ["a WeakMap", [new WeakMap()], "[0] is an instance of WeakMap"],
    ["a URL", { url: new URL("http://a.b") }, "url is an instance of URL"],
    ["a RegExp", /a/, "the value is an instance of RegExp"],
    ["floats", { f: new Float64Array(1) }, "f is an instance of Float64Array"],
    ["an ArrayBuffer", { f: new ArrayBuffer(1) }, "f is an instance of ArrayBuffer"],
    ["a boxed text", { s: new String("a") }, "s is an instance of String"],
    ["a hole", { list: sparse }, "list[1] is a hole of a sparse array"],
    ["an array with a length only", { list: endless }, "list[0] is a hole of a sparse array"],
    ["an object in itself", { circle }, "circle.a[0] is an object that it is itself a part of"],
    ["a Map in itself", map.set("m", map), "values()[1] is an object that it is itself a part of"],
    ["a value of a Map", { m: new Map([["k", new User()]]) }, "m.values()[0] is an instance of User"],
    ["a key of a Map", { m: new Map([[new User(), 1]]) }, "m.keys()[0] is an instance of User"],
    ["a value of a Set", new Set([1, () => 1]), "values()[1] is a function"],
    ["the cause of an error", { e: new Error("x", { cause: new User() }) }, "e.cause is an instance of User"],
    ["the code of an error", Object.assign(new Error("x"), { code: () => 1 }), "code is a function"],
    ["a key that is a symbol", { a: { [Symbol("s")]: 1 } }, "a[Symbol(s)] has a symbol for a key"],
    ["a toJSON method", { a: { toJSON: () => 1 } }, "a.toJSON is a function, toJSON()"],
    ["a hidden toJSON method", { hidden }, "hidden has a toJSON method"],
    ["the key __proto__", { input: JSON.parse('{"__proto__":1}') as unknown }, "input has a key '__proto__'"],
    ["the key __proto__ beside rich data", [1n, JSON.parse('{"__proto__":1}')], "[1] has a key '__proto__'"],
  ];
  test.each(cases)("%s", (_, value, message) => {
    expect(refusal(value)).toContain(`task 'add', id '7': ${message}`);
  });

  test("a getter that throws is a refusal with what it threw as the cause", () => {
    const thrown = new Error("no");
    const value = {
      get a(): never {
        throw thrown;
      },
    };
    const error = errorOf("TASKQ_INPUT", () => serializer.encode(value, context));
    expect(error.message).toContain("could not be read");
    expect(error.cause).toBe(thrown);
  });

  test("a path that is very long is cut", () => {
    expect(refusal({ ["k".repeat(10_000)]: () => 1 }).length).toBeLessThan(500);
  });

  test("data called toJSON, and hidden symbols, are no reason to refuse", () => {
    const value = Object.defineProperty({ toJSON: "text" }, Symbol("hidden"), { value: 1 });
    expect(serializer.decode(serializer.encode(value, context), context)).toEqual({ toJSON: "text" });
  });
});

describe("options", () => {
  test.each([
    [{ maxSize: 0 }],
    [{ maxSize: 1.5 }],
    [{ maxSize: "1" }],
    [{ maxDepth: 0 }],
    [{ maxDepth: 501 }],
    [{ size: 1 }],
    [null],
  ])("%o is refused", (options) => {
    expect(errorOf("TASKQ_OPTION", () => jsonSerializer(options as never)).code).toBe("TASKQ_OPTION");
  });
});
