import { compressed, jsonSerializer, type Serializer } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { serializerSuite } from "../src/serializer-suite.ts";

const runner = { describe, test };

serializerSuite({ runner, name: "json", create: () => jsonSerializer() });
serializerSuite({
  runner,
  name: "compressed json",
  create: () => compressed(jsonSerializer(), { over: 16 }),
});
serializerSuite({
  runner,
  name: "small json",
  create: () => jsonSerializer({ maxSize: 16_384, maxDepth: 9 }),
  maxSize: 16_384,
  maxDepth: 9,
});

/** The titles of the tests that a serializer does not pass. */
async function failures(create: () => Serializer): Promise<readonly string[]> {
  const failed: string[] = [];
  const tests: Promise<void>[] = [];
  serializerSuite({
    runner: {
      describe: (_, body) => body(),
      test: (name, run) => tests.push(run().catch(() => void failed.push(name))),
    },
    name: "broken",
    create,
  });
  await Promise.all(tests);
  return failed;
}

const inner = jsonSerializer();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

describe("the suite for serializers finds one that", () => {
  test("is JSON as it is", async () => {
    const plain: Serializer = {
      id: "plain",
      encode: (value) => encoder.encode(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(decoder.decode(bytes)) as unknown,
    };
    const failed = await failures(() => plain);
    expect(failed).toContain("Date comes back as it was");
    expect(failed).toContain("what cannot travel is refused with TASKQ_INPUT");
    expect(failed).toContain("what is too large or too deep is refused with TASKQ_TOO_LARGE");
    expect(failed).toContain("no bytes make it throw anything but a TaskqError");
    expect(failed).not.toContain("plain data comes back as it was");
  });

  test("gives other bytes each time", async () => {
    let salt = 0;
    const salted: Serializer = {
      ...inner,
      encode: (value, context) => Buffer.concat([Buffer.from([(salt += 1)]), inner.encode(value, context)]),
      decode: (bytes, context) => inner.decode(bytes.subarray(1), context),
    };
    expect(await failures(() => salted)).toEqual([
      "the same value gives the same bytes, and is left as it was",
    ]);
  });

  test("writes to the bytes that it is given", async () => {
    const wiping: Serializer = {
      ...inner,
      decode: (bytes, context) => {
        const value = inner.decode(bytes, context);
        bytes.fill(0);
        return value;
      },
    };
    expect(await failures(() => wiping)).toEqual([
      "the same value gives the same bytes, and is left as it was",
    ]);
  });
});
