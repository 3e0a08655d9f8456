import { describe, expect, test } from "vitest";
import { mergeInput } from "../src/merge-input.js";

describe("the input of a stage", () => {
  test.each<[unknown]>([[undefined], [null], [5], ["text"], [[1, 2]], [{ a: 1 }], [new Date(0)]])(
    "is the output itself where nothing is given beside it: %j",
    (output) => {
      expect(mergeInput(output, undefined, false)).toBe(output);
    },
  );

  test("is an object output with what is given, and what is given wins", () => {
    const output = { a: 1, b: 2 };
    expect(mergeInput(output, { b: 3, c: undefined }, true)).toStrictEqual({ a: 1, b: 3, c: undefined });
    expect(output).toEqual({ a: 1, b: 2 });
  });

  test("is a plain object also where the output has a class or no prototype", () => {
    class Point {
      readonly x = 1;
    }
    const bare: object = Object.assign(Object.create(null), { x: 1 });
    expect(mergeInput(new Point(), { y: 2 }, true)).toStrictEqual({ x: 1, y: 2 });
    expect(mergeInput(bare, { y: 2 }, true)).toStrictEqual({ x: 1, y: 2 });
  });

  test.each<readonly [kind: string, output: unknown]>([
    ["a number", 5],
    ["a bigint", 5n],
    ["a text", "text"],
    ["true", true],
    ["null", null],
    ["undefined", undefined],
    ["an array", [1, 2]],
    ["a Date", new Date(0)],
    ["a Map", new Map([["a", 1]])],
    ["a Set", new Set([1])],
    ["an Error", new TypeError("no")],
    ["bytes", new Uint8Array(2)],
    ["a Buffer", Buffer.from("x")],
    ["an ArrayBuffer", new ArrayBuffer(2)],
    ["a DataView", new DataView(new ArrayBuffer(2))],
  ])("has the field `input` where the output is %s", (_, output) => {
    const merged = mergeInput(output, { factor: 5 }, true);
    expect(merged).toEqual({ input: output, factor: 5 });
    expect(merged).toHaveProperty("input", output);
  });

  test("has the field `input` as it is given, where it is given", () => {
    expect(mergeInput(1, { input: 2 }, true)).toEqual({ input: 2 });
  });

  test("is a copy, even where an empty object is given", () => {
    const output = { a: 1 };
    expect(mergeInput(output, {}, true)).toEqual(output);
    expect(mergeInput(output, {}, true)).not.toBe(output);
  });

  test("changes no prototype, and hands on no key that would", () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"admin":true},"a":1}');
    for (const merged of [mergeInput(hostile, { b: 2 }, true), mergeInput({ b: 2 }, hostile, true)]) {
      expect(merged).toStrictEqual({ a: 1, b: 2 });
      expect(Object.hasOwn(merged as object, "__proto__")).toBe(false);
      expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    }
    expect("admin" in {}).toBe(false);
  });
});
