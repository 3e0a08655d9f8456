import { describe, expect, test } from "vitest";
import {
  abortSignal,
  callable,
  finiteNumber,
  flag,
  integer,
  oneOf,
  refuseUnknown,
  shown,
  text,
} from "../src/options.ts";

const refusal = (message: string): unknown => expect.objectContaining({ code: "TASKQ_OPTION", message });

describe("refuseUnknown", () => {
  test("lets known keys pass", () => {
    expect(() => refuseUnknown({ base: 1 }, ["base", "max"], "linear")).not.toThrow();
  });

  test("names the unknown key and the known ones", () => {
    expect(() => refuseUnknown({ bse: 1 }, ["base", "max"], "linear")).toThrow(
      refusal("linear: unknown option 'bse'; known are 'base', 'max'"),
    );
  });

  test.each([[null], ["base"], [[1]], [undefined]])("refuses %j, which is no object", (options) => {
    expect(() => refuseUnknown(options, ["base"], "linear")).toThrow(
      refusal(`linear: expected an object with 'base', got ${shown(options)}`),
    );
  });

  test("refuses what cannot be looked at", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const hostile of [proxy, new Proxy({}, { ownKeys: thrower }), new Proxy({}, { get: thrower })]) {
      expect(() => refuseUnknown(hostile, ["base"], "linear")).toThrow(
        refusal("linear: expected an object with 'base', got an object"),
      );
    }
  });
});

describe("a checked value", () => {
  test("is answered when it is right", () => {
    expect(integer(3, "retries", { min: 0 })).toBe(3);
    expect(finiteNumber(1.5, "factor", { min: 1, max: 2 })).toBe(1.5);
    expect(oneOf("full", ["none", "full"], "jitter")).toBe("full");
    expect(flag(false, "once")).toBe(false);
    expect(text("a", "id")).toBe("a");
    expect(callable(shown, "handler")).toBe(shown);
    const { signal } = new AbortController();
    expect(abortSignal(signal, "wait signal")).toBe(signal);
    expect(abortSignal(undefined, "wait signal")).toBeUndefined();
  });

  test.each<[() => unknown, string]>([
    [() => integer(1.5, "retries"), "retries: expected an integer, got 1.5"],
    [() => integer("1", "retries"), "retries: expected an integer, got '1'"],
    [() => integer(-1, "retries", { min: 0 }), "retries: expected an integer of at least 0, got -1"],
    [
      () => integer(2 ** 53, "retries", { min: 0, max: 9 }),
      "retries: expected an integer from 0 to 9, got 9007199254740992",
    ],
    [
      () => finiteNumber(Infinity, "factor", { max: 2 }),
      "factor: expected a number of at most 2, got Infinity",
    ],
    [() => oneOf("some", ["none", "full"], "jitter"), "jitter: expected 'none' or 'full', got 'some'"],
    [() => flag(0, "once"), "once: expected true or false, got 0"],
    [() => text("", "id"), "id: expected a text that is not empty, got ''"],
    [() => abortSignal({} as never, "wait signal"), "wait signal: expected an AbortSignal, got {}"],
    [() => callable({} as never, "handler"), "handler: expected a function, got {}"],
  ])("is refused when it is wrong: %s", (check, message) => {
    expect(check).toThrow(refusal(message));
  });
});

describe("shown", () => {
  test.each<[unknown, string]>([
    ["x".repeat(100), `'${"x".repeat(77)}...', 100 characters`],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [() => 1, "a function"],
    [Promise.resolve(1), "a promise"],
    [Symbol("x"), "a symbol"],
    [{ big: 1n }, "an object"],
    [Array.from({ length: 100 }, () => 1), "an array"],
    [undefined, "undefined"],
  ])("puts %o on one short line", (value, expected) => {
    expect(shown(value)).toBe(expected);
  });

  test("says what it can of what refuses to be looked at", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(shown(proxy)).toBe("an object");
    expect(shown(new Proxy([], { getPrototypeOf: thrower }))).toBe("an array");
    expect(shown(Object.defineProperty({}, "a", { enumerable: true, get: thrower }))).toBe("an object");
  });
});

function thrower(): never {
  throw new Error("not to be looked at");
}
