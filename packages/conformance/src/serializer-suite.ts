/** The suite for serializers: what every one must keep, refuse and survive, so that it can stand for another. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { TaskqError, type MessageContext, type Serializer } from "@taskq/core";
import { randomSource } from "./faults/random-source.js";
import { PLAIN_VALUES, RICH_VALUES, UNTRAVELLED, type RichKind } from "./serializer-values.js";
import type { Runner } from "./storage-suite.js";

export interface SerializerSuiteOptions {
  readonly runner: Runner;
  /** Name of the serializer. */
  readonly name: string;
  /** Makes the serializer; called for each test. */
  readonly create: () => Serializer;
  /** Kinds of values that it does not keep; it must refuse them. @default none */
  readonly without?: readonly RichKind[] | undefined;
  /** The most bytes that it takes. @default 1_048_576 */
  readonly maxSize?: number | undefined;
  /** How deep it takes containers inside each other. @default 200 */
  readonly maxDepth?: number | undefined;
}

const MAX_SIZE = 1_048_576;
const MAX_DEPTH = 200;
/** Hostile texts for one test. */
const HOSTILE = 2_000;
/** The same values each time, so that a storage's tests do not fail at random. */
const SEED = 20_350_101;

const CONTEXT: MessageContext = {
  purpose: "task",
  namespace: "taskq_",
  queue: "main",
  id: "some-id",
  task: "work",
};

/**
 * Declares the tests of a serializer: values come back as they were, the same value gives the same bytes (of one with a seal, inside it), what cannot
 * travel is refused, limits hold, and no bytes make it throw anything but a `TaskqError`.
 *
 * @example
 * serializerSuite({ runner: { describe, test }, name: "json", create: () => jsonSerializer() });
 */
export function serializerSuite(options: SerializerSuiteOptions): void {
  options.runner.describe(`${options.name} serializer`, () => {
    keeping(options);
    bounding(options);
    surviving(options);
  });
}

function keeping({ runner: { test }, create, without = [] }: SerializerSuiteOptions): void {
  test("plain data comes back as it was", async () => {
    const serializer = create();
    for (const value of PLAIN_VALUES) assert.deepEqual(travel(serializer, value), value);
    // -0 is no plain number: JSON makes 0 of it.
    const generated = fc
      .jsonValue({ maxDepth: 5 })
      .filter((value) => !mentionsPrototype(value))
      .map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    fc.assert(
      fc.property(generated, (value) => assert.deepEqual(travel(serializer, value), value)),
      { seed: SEED },
    );
  });

  for (const [kind, values] of RICH_VALUES) {
    if (without.includes(kind)) {
      test(`${kind} is refused with TASKQ_INPUT`, async () => {
        for (const value of values) mustRefuse(() => create().encode(value, CONTEXT), "TASKQ_INPUT");
      });
    } else {
      test(`${kind} comes back as it was`, async () => {
        const serializer = create();
        for (const value of values) {
          assert.deepEqual(travel(serializer, value), value);
          assert.deepEqual(travel(serializer, { inside: [value] }), { inside: [value] });
        }
      });
    }
  }

  test("every purpose is served", async () => {
    const serializer = create();
    for (const purpose of ["task", "result", "error", "value", "event", "schedule", "note"] as const) {
      const context: MessageContext = { ...CONTEXT, purpose, fence: 7, key: "key" };
      assert.deepEqual(serializer.decode(serializer.encode({ purpose }, context), context), { purpose });
    }
  });

  test("the same value gives the same bytes, and is left as it was", async () => {
    const serializer = create();
    const first = serializer.encode(frozen(), CONTEXT);
    const copy = Uint8Array.from(first);
    const wanted = inside(serializer, first);
    for (const value of PLAIN_VALUES) serializer.encode(value, CONTEXT);
    assert.deepEqual(inside(serializer, serializer.encode(frozen(), CONTEXT)), wanted);
    assert.deepEqual(inside(serializer, create().encode(frozen(), CONTEXT)), wanted, "another instance");
    serializer.decode(first, CONTEXT);
    assert.deepEqual(Uint8Array.from(first), copy, "the bytes were written to");
  });
}

function bounding({ runner: { test }, create, maxSize, maxDepth }: SerializerSuiteOptions): void {
  test("what cannot travel is refused with TASKQ_INPUT", async () => {
    const serializer = create();
    for (const [name, value] of UNTRAVELLED) {
      mustRefuse(() => serializer.encode(value(), CONTEXT), "TASKQ_INPUT", name);
      mustRefuse(() => serializer.encode({ inside: [value()] }, CONTEXT), "TASKQ_INPUT", `${name}, inside`);
    }
  });

  test("what is too large or too deep is refused with TASKQ_TOO_LARGE", async () => {
    const serializer = create();
    // Random, so that it is too large compressed as well.
    mustRefuse(() => serializer.encode(noise((maxSize ?? MAX_SIZE) + 1), CONTEXT), "TASKQ_TOO_LARGE");
    const depth = maxDepth ?? MAX_DEPTH;
    assert.deepEqual(travel(serializer, nested(depth)), nested(depth));
    mustRefuse(() => serializer.encode(nested(depth + 1), CONTEXT), "TASKQ_TOO_LARGE");
  });
}

function surviving({ runner: { test }, create, maxSize }: SerializerSuiteOptions): void {
  test("no bytes make it throw anything but a TaskqError", async () => {
    const serializer = create();
    mustRefuse(() => serializer.decode(new Uint8Array(), CONTEXT));
    mustRefuse(() => serializer.decode(new Uint8Array(2 * (maxSize ?? MAX_SIZE) + 64).fill(0x5b), CONTEXT));
    const bytes = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(bytes, (hostile) => mustSurvive(serializer, hostile)),
      { numRuns: HOSTILE, seed: SEED },
    );
  });

  test("bytes that were damaged or cut off make it throw nothing but a TaskqError", async () => {
    const serializer = create();
    const written = [...PLAIN_VALUES, ...richValues(serializer)].map((value) =>
      serializer.encode(value, CONTEXT),
    );
    const damage = fc.record({
      of: fc.nat(),
      at: fc.nat(),
      to: fc.nat({ max: 255 }),
      cut: fc.boolean(),
    });
    const property = fc.property(damage, ({ of, at, to, cut }) => {
      const bytes = Uint8Array.from(written[of % written.length] ?? []);
      const place = at % Math.max(1, bytes.length);
      if (!cut) bytes[place] = to;
      mustSurvive(serializer, cut ? bytes.subarray(0, place) : bytes);
    });
    fc.assert(property, { numRuns: HOSTILE, seed: SEED });
  });

  test("no bytes change the prototypes of objects", async () => {
    const serializer = create();
    const texts = ['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}'];
    for (const text of texts) mustSurvive(serializer, new TextEncoder().encode(text));
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
}

function frozen(): unknown {
  return Object.freeze({ a: Object.freeze([1, "two", null]), b: { c: true } });
}

/** A seal may be another one each time, but not what is inside. */
function inside({ seal }: Serializer, bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(seal === undefined ? bytes : seal.open(bytes, CONTEXT).content);
}

function travel(serializer: Serializer, value: unknown): unknown {
  return serializer.decode(serializer.encode(value, CONTEXT), CONTEXT);
}

function mustRefuse(call: () => unknown, code?: string, what?: string): void {
  assert.throws(call, (error: unknown) => {
    assert.ok(error instanceof TaskqError, `${what ?? "expected a TaskqError"}: ${String(error)}`);
    if (code !== undefined) assert.equal(error.code, code, what);
    return true;
  });
}

function mustSurvive(serializer: Serializer, bytes: Uint8Array): void {
  try {
    serializer.decode(bytes, CONTEXT);
  } catch (error) {
    if (!(error instanceof TaskqError)) throw error;
  }
}

function richValues(serializer: Serializer): readonly unknown[] {
  return RICH_VALUES.flatMap(([, values]) => values).filter((value) => {
    try {
      serializer.encode(value, CONTEXT);
      return true;
    } catch {
      return false;
    }
  });
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}

/** Text that does not compress to a half. */
function noise(length: number): string {
  const random = randomSource(length);
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(random() * 90))).join("");
}

function mentionsPrototype(value: unknown): boolean {
  return JSON.stringify(value).includes("__proto__");
}
