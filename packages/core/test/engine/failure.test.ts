import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  decodeError,
  describeError,
  encodeError,
  storageFailure,
  withoutStack,
} from "../../src/engine/failure.js";
import { jsonSerializer } from "../../src/serializer/json-serializer.js";
import type { MessageContext } from "../../src/serializer/serializer.js";

const serializer = jsonSerializer();
const context: MessageContext = {
  purpose: "error",
  namespace: "n",
  queue: "q",
  id: "1",
  task: "t",
  fence: 1,
};

describe("errors as data", () => {
  test("name, message, stack, code and details survive being stored", () => {
    const error = Object.assign(new TypeError("no"), { code: "E_NO" });
    const described = describeError(error, { attempt: 1 });
    expect(described).toMatchObject({
      name: "TypeError",
      message: "no",
      code: "E_NO",
      details: { attempt: 1 },
    });
    expect(decodeError(serializer, encodeError(serializer, described, context), context)).toEqual(described);
  });

  test("a code that is a number is kept as a text, and one that is neither is left out", () => {
    expect(describeError(Object.assign(new Error("gone"), { code: 404 }), undefined).code).toBe("404");
    expect(describeError(Object.assign(new Error("gone"), { code: {} }), undefined).code).toBeUndefined();
  });

  test("causes are told at the end of the stack", () => {
    const error = new Error("outer", { cause: new Error("inner", { cause: "root" }) });
    const { stack } = describeError(error, undefined);
    expect(stack).toContain("Caused by: Error: inner");
    expect(stack).toContain("Caused by: root");
  });

  test("an error of another realm is one, as those that Node throws are where Jest runs the code", () => {
    const code =
      "Object.assign(new TypeError('no file', { cause: new Error('no disk') }), { code: 'ENOENT' })";
    const error = describeError(runInNewContext(code), undefined);
    expect(error).toMatchObject({ name: "TypeError", message: "no file", code: "ENOENT" });
    expect(error.stack).toMatch(/^TypeError: no file\n[^]*\nCaused by: Error: no disk\n/);
    expect(withoutStack(runInNewContext(code))).toMatchObject({ name: "TypeError", message: "no file" });
    const several = runInNewContext(
      "new AggregateError([new Error('no IPv6'), new Error('no IPv4')])",
    ) as Error;
    for (const told of [describeError(several, undefined), withoutStack(several)]) {
      expect(told).toMatchObject({ name: "AggregateError", message: "no IPv6; no IPv4" });
    }
    expect(describeError(several, undefined).stack).toMatch(
      /One of: Error: no IPv6[^]*\nOne of: Error: no IPv4/,
    );
  });

  test("anything may be thrown", () => {
    for (const thrown of [undefined, null, 1, "text", { a: 1 }, Symbol("s"), () => {}, 10n]) {
      expect(typeof describeError(thrown, undefined).message).toBe("string");
    }
    expect(describeError({ reason: "quota" }, undefined).message).toBe('{"reason":"quota"}');
  });

  test("an error that throws when it is looked at is described all the same", () => {
    const hostile = new Error("x");
    Object.defineProperty(hostile, "message", {
      get() {
        throw new Error("again");
      },
    });
    expect(describeError(hostile, undefined).message).toBe("an error that cannot be described");
    expect(describeError(Object.assign(new Error("x"), { name: { odd: true } }), undefined).name).toBe(
      "Error",
    );
  });

  test("an error whose cause cannot be looked at is told all the same, and no more causes than there is room for", () => {
    const unseen = new Error("x", { cause: new Error("inner") });
    Object.defineProperty(unseen.cause, "stack", {
      get() {
        throw new Error("again");
      },
    });
    expect(describeError(unseen, undefined)).toMatchObject({ name: "Error", message: "x" });
    expect(describeError(unseen, undefined).stack).toMatch(
      /^Error: x\n.*an error that cannot be described$/s,
    );
    // Stacks that are each as long as a text can be are longer together.
    const inner = new Error("inner");
    Object.defineProperty(inner, "cause", {
      get() {
        throw new Error("looked at although there is no room for it");
      },
    });
    const large = new Error("x", { cause: Object.assign(inner, { stack: "y".repeat(30_000) }) });
    expect(describeError(large, undefined).stack).toMatch(/y… \(\d+ characters\)$/);
  });

  test("of an error that stands for several, these are told, and are its message where it has none", () => {
    const refused = ["::1", "127.0.0.1"].map((host) => new Error(`connect ECONNREFUSED ${host}:5432`));
    // As Node has it of a host with two addresses.
    const both = Object.assign(new AggregateError([...refused, "text"]), { code: "ECONNREFUSED" });
    const told = describeError(both, undefined);
    expect(told).toMatchObject({
      name: "AggregateError",
      message: "connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432; text",
      code: "ECONNREFUSED",
    });
    expect(told.stack).toMatch(/One of: Error: connect ECONNREFUSED ::1:5432\n[^]*One of: text$/);
    const around = describeError(new TypeError("fetch failed", { cause: both }), undefined);
    expect(around.message).toBe("fetch failed");
    expect(around.stack).toMatch(/Caused by: AggregateError[^]*\nOne of: Error: connect ECONNREFUSED 127/);
    const many = Array.from({ length: 50 }, (_, number) => new Error(`no ${number}`));
    expect(describeError(new AggregateError(many, "none"), undefined)).toMatchObject({
      message: "none",
      stack: expect.not.stringContaining("no 9") as string,
    });
    const hostile = Object.defineProperty(new AggregateError([], ""), "errors", { value: 5 });
    expect(describeError(hostile, undefined)).toMatchObject({ name: "AggregateError", message: "" });
  });

  test("a message of a megabyte is cut", () => {
    expect(describeError(new Error("x".repeat(1_000_000)), undefined).message.length).toBeLessThan(11_000);
  });

  test("details that cannot travel, or are too large, are left out alone, and it says so", () => {
    for (const details of [() => {}, "x".repeat(140_000)]) {
      const described = describeError(Object.assign(new Error("x"), { code: "E_NO" }), details);
      const kept = decodeError(serializer, encodeError(serializer, described, context), context);
      expect(kept).toEqual({ ...described, details: expect.stringContaining("left out") });
    }
  });

  test("the failures of a storage have codes", () => {
    expect(storageFailure("crashed", 4).code).toBe("TASKQ_CRASHED");
    expect(storageFailure("interrupted", 1).code).toBe("TASKQ_INTERRUPTED");
  });
});
