/** Values with which serializers are tried. */

/** What JSON keeps by itself: every serializer keeps it. */
export const PLAIN_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.1,
  1e300,
  5e-324,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  "",
  "text",
  'ÄÖ€😀\u0000\u2028\\"',
  "\ud800",
  "~",
  [],
  {},
  [[], {}, [null]],
  { a: { b: [1, 2, { c: "d" }] }, "": 1, "with space": 2, 7: 3 },
  { constructor: 1, toString: 2, length: 3 },
  Array.from({ length: 1_000 }, (_, index) => index),
];

/** What JSON does not keep. */
export type RichKind = "Date" | "bigint" | "bytes" | "Map" | "Set" | "undefined" | "Error" | "special number";

export const RICH_VALUES: readonly (readonly [RichKind, readonly unknown[]])[] = [
  ["Date", [new Date(0), new Date("2024-02-29T12:34:56.789Z"), new Date(-1)]],
  ["bigint", [0n, -1n, 2n ** 100n]],
  ["bytes", [new Uint8Array(), new Uint8Array([0, 255, 128, 126])]],
  [
    "Map",
    [
      new Map(),
      new Map<unknown, unknown>([
        ["a", new Map([[1, "b"]])],
        [{ key: 1 }, null],
      ]),
    ],
  ],
  ["Set", [new Set(), new Set([1, "1", null])]],
  ["undefined", [undefined]],
  ["Error", [new Error("boom"), new Error("outer", { cause: new Error("inner") })]],
  ["special number", [Number.NaN, Infinity, -Infinity, -0]],
];

class Point {
  readonly x = 1;
}

/** What no serializer takes, since it would not come back as it was. */
export const UNTRAVELLED: readonly (readonly [string, () => unknown])[] = [
  ["a function", () => () => 1],
  ["a symbol", () => Symbol("symbol")],
  ["a promise", () => Promise.resolve(1)],
  ["an instance of a class", () => new Point()],
  ["a weak map", () => new WeakMap()],
  [
    "an object inside itself",
    () => {
      const object: { self?: unknown } = {};
      object.self = object;
      return object;
    },
  ],
];
