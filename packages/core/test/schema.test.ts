import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { StandardSchema } from "../src/index.js";
import { checkedSchema, parseInput } from "../src/schema.js";

const email = z.object({ to: z.string(), at: z.coerce.date().optional() });

describe("parseInput", () => {
  test("answers at once what a synchronous schema parsed", () => {
    expect(parseInput(email, { to: "ada", at: "2030-01-01", more: 1 })).toEqual({
      to: "ada",
      at: new Date("2030-01-01"),
    });
  });

  test("answers a promise of what an asynchronous schema parsed", async () => {
    const known = z.string().refine(async (name) => name === "ada", "is unknown");
    const parsed = parseInput(known, "ada");
    expect(parsed).toBeInstanceOf(Promise);
    expect(await parsed).toBe("ada");
    await expect(parseInput(known, "eve")).rejects.toMatchObject({
      code: "TASKQ_INPUT",
      message: "the input is refused by its schema: is unknown",
    });
  });

  test("waits for a promise of another realm", async () => {
    const Foreign = runInNewContext("Promise") as PromiseConstructor;
    const parsed = parseInput(
      schemaOf(() => Foreign.resolve({ value: "ada" })),
      "Ada",
    );
    expect(parsed).toBeInstanceOf(Promise);
    expect(await parsed).toBe("ada");
    const refusing = schemaOf(() => Foreign.resolve({ issues: [{ message: "no" }] }));
    await expect(parseInput(refusing, "Ada")).rejects.toMatchObject({ code: "TASKQ_INPUT" });
  });

  test("says of each issue where it is, and keeps all of them as the cause", () => {
    const emails = z.object({ to: z.array(email) });
    expect(() => parseInput(emails, { to: [{ at: "x" }] }, "mail")).toThrow(
      expect.objectContaining({
        code: "TASKQ_INPUT",
        message: expect.stringMatching(/^mail is refused by its schema: to\.0\.to: .+; to\.0\.at: .+$/),
        cause: [expect.objectContaining({ path: ["to", 0, "to"] }), expect.anything()],
      }),
    );
  });

  test("says of an issue without a place only what it is, and names keys that are wrapped", () => {
    const refusing = schemaOf(() => ({
      issues: [{ message: "no" }, { message: "nor this", path: [{ key: "a" }, Symbol("b"), 0] }],
    }));
    expect(() => parseInput(refusing, 1)).toThrow(/: no; a\.Symbol\(b\)\.0: nor this$/);
  });

  test("names the first 10 issues, and counts the others", () => {
    const refusing = schemaOf(() => ({
      issues: Array.from({ length: 12 }, (_, n) => ({ message: `n${n}` })),
    }));
    expect(() => parseInput(refusing, 1)).toThrow(/: n0; .*; n9; and 2 more$/);
  });

  test("refuses what is no result, rather than going on without an input", async () => {
    const message =
      "the schema of the input: expected validate to answer { value } or { issues }, got something else";
    for (const answer of ["ada", { name: "ada" }, undefined, null]) {
      const wrong = schemaOf(() => answer as never);
      expect(() => parseInput(wrong, "ada")).toThrow(
        expect.objectContaining({ code: "TASKQ_OPTION", message }),
      );
      const later = schemaOf(() => Promise.resolve(answer) as never);
      await expect(parseInput(later, "ada")).rejects.toMatchObject({ code: "TASKQ_OPTION", message });
    }
    expect(
      parseInput(
        schemaOf(() => ({ value: undefined })),
        "ada",
      ),
    ).toBeUndefined();
  });

  test("lets an error of the schema through", () => {
    const broken = schemaOf(() => {
      throw new RangeError("the schema is broken");
    });
    expect(() => parseInput(broken, 1)).toThrow(RangeError);
  });
});

describe("checkedSchema", () => {
  test("takes any Standard Schema of version 1, also one that is a function", () => {
    const callable = Object.assign(
      () => {},
      schemaOf((value) => ({ value })),
    );
    for (const schema of [email, callable]) expect(checkedSchema(schema, "input")).toBe(schema);
  });

  test.each<unknown>([
    undefined,
    null,
    "schema",
    {},
    () => true,
    { "~standard": null },
    { "~standard": { version: 2, vendor: "x", validate: () => ({ value: 1 }) } },
    { "~standard": { version: 1, vendor: "x" } },
  ])("refuses %j", (schema) => {
    expect(() => checkedSchema(schema, "input")).toThrow(/^input: expected a Standard Schema of version 1/);
  });
});

function schemaOf(validate: StandardSchema["~standard"]["validate"]): StandardSchema {
  return { "~standard": { version: 1, vendor: "test", validate } };
}
