import assert from "node:assert/strict";
import type { StorageContract, ValueAnswer, ValueOperation } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import type { Context } from "../context.js";
import { promise, subject, type Subject } from "../promise.js";

async function values(
  context: Context,
  operations: readonly ValueOperation[],
  operation: string = context.id(),
  storage: StorageContract = context.storage,
): Promise<readonly unknown[]> {
  const answers = await storage.values({ queue: context.queue, operation, operations, now: context.now });
  assert.equal(answers.length, operations.length, "each operation is answered");
  return answers.map(plain);
}

/** An answer as one can write it down. */
function plain(answer: ValueAnswer): unknown {
  if (answer.kind === "bytes") return text(answer.bytes);
  if (answer.kind === "number") return answer.number;
  return answer.kind === "done" ? answer.changed : answer.kind;
}

function get(key: string): ValueOperation {
  return { kind: "get", key };
}

function set(key: string, value: string, expiresAt?: number): ValueOperation {
  return { kind: "set", key, bytes: bytes(value), expiresAt };
}

function increment(key: string, by: number, expiresAt?: number): ValueOperation {
  return { kind: "increment", key, by, expiresAt };
}

function absent(value: string): ValueOperation {
  return { kind: "set-if-absent", key: "a", bytes: bytes(value), expiresAt: undefined };
}

function remove(value: string, number?: number): ValueOperation {
  return { kind: "compare-and-delete", key: "a", bytes: bytes(value), number };
}

function asNumber(value: string, number: number): ValueOperation {
  return { kind: "as-number", key: "a", bytes: bytes(value), number };
}

export const valuing: Subject = subject("values", [
  promise("values are set, read, taken and deleted by key", async (context) => {
    assert.deepEqual(await values(context, [get("a")]), ["none"]);
    assert.deepEqual(await values(context, [set("a", "one"), set("b", "two"), get("a")]), [
      true,
      true,
      "one",
    ]);
    assert.deepEqual(await values(context, [set("a", "three"), get("a"), get("b")]), [true, "three", "two"]);
    assert.deepEqual(await values(context, [{ kind: "take", key: "a" }]), ["three"]);
    assert.deepEqual(await values(context, [{ kind: "take", key: "a" }, get("a")]), ["none", "none"]);
    assert.deepEqual(await values(context, [{ kind: "delete", key: "b" }, get("b")]), [true, "none"]);
    assert.deepEqual(await values(context, [{ kind: "delete", key: "b" }]), [false]);
    assert.deepEqual(await values(context, [set("empty", ""), get("empty")]), [true, ""]);
  }),

  promise("a value is set only where there is none", async (context) => {
    assert.deepEqual(await values(context, [absent("one")]), [true]);
    assert.deepEqual(await values(context, [absent("two"), get("a")]), [false, "one"]);
    await values(context, [{ kind: "delete", key: "a" }]);
    assert.deepEqual(await values(context, [absent("three"), get("a")]), [true, "three"]);
  }),

  promise("a value is deleted only if it equals what is expected", async (context) => {
    assert.deepEqual(await values(context, [remove("one")]), [false]);
    await values(context, [set("a", "one")]);
    assert.deepEqual(await values(context, [remove("on"), remove("two"), get("a")]), [false, false, "one"]);
    assert.deepEqual(await values(context, [remove("one"), get("a")]), [true, "none"]);
    await values(context, [increment("a", 5)]);
    assert.deepEqual(await values(context, [remove("5"), remove("5", 4), get("a")]), [false, false, 5]);
    assert.deepEqual(await values(context, [remove("other", 5), get("a")]), [true, "none"]);
  }),

  promise("a value is gone from the instant it expires", async (context) => {
    const expiresAt = context.now + 1_000;
    await values(context, [set("a", "one", expiresAt), increment("n", 5, expiresAt)]);
    context.advance(999);
    assert.deepEqual(await values(context, [get("a"), increment("n", 1)]), ["one", 6]);
    context.advance(1);
    assert.deepEqual(await values(context, [get("a"), increment("n", 1)]), ["none", 1]);
    assert.deepEqual(await values(context, [{ kind: "take", key: "a" }, absent("two")]), ["none", true]);
    context.advance(1e9);
    assert.deepEqual(await values(context, [get("a")]), ["two"]);
    // Whoever counts may say anew when a number expires.
    const [soon, late] = [context.now + 1_000, context.now + 2_000];
    await values(context, [increment("later", 5, soon), increment("later", 1, late)]);
    await values(context, [increment("sooner", 5, late), increment("sooner", 1, soon)]);
    context.advance(1_000);
    assert.deepEqual(await values(context, [get("later"), get("sooner")]), [6, "none"]);
    context.advance(1_000);
    assert.deepEqual(await values(context, [get("later")]), ["none"]);
  }),

  promise("increments of one key from many callers add up", async (context) => {
    const second = await context.second();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        values(
          context,
          [increment("n", index % 2 === 0 ? 1 : 3)],
          `increment-${index}`,
          index % 4 < 2 ? context.storage : second,
        ),
      ),
    );
    assert.equal(new Set(answers.flat()).size, 40, "two callers got the same number");
    assert.deepEqual(await values(context, [increment("n", -0.5)]), [79.5]);
    await values(context, [set("a", "no number")]);
    assert.deepEqual(await values(context, [increment("a", 1), get("a")]), ["not-a-number", "no number"]);
    const most = Number.MAX_SAFE_INTEGER;
    assert.deepEqual(await values(context, [increment("m", most), increment("m", 1)]), [
      most,
      "not-a-number",
    ]);
    assert.deepEqual(await values(context, [increment("m", -1), increment("l", -1e300)]), [
      most - 1,
      "not-a-number",
    ]);
  }),

  promise(
    "bytes that stand for a number are kept as that number only if they are still there",
    async (context) => {
      const expiresAt = context.now + 1_000;
      await values(context, [set("a", "five", expiresAt)]);
      assert.deepEqual(await values(context, [asNumber("four", 4), get("a")]), [false, "five"]);
      assert.deepEqual(await values(context, [asNumber("five", 5), increment("a", 2)]), [true, 7]);
      // It is a number by now: nothing is counted twice.
      assert.deepEqual(await values(context, [asNumber("five", 5), get("a")]), [false, 7]);
      context.advance(1_000);
      assert.deepEqual(await values(context, [get("a"), asNumber("five", 5)]), ["none", false]);
    },
  ),

  promise(
    "an operation on values repeated under its name answers as before and does nothing",
    async (context) => {
      const batch = [increment("n", 2), { kind: "take", key: "a" } as const, set("b", "one")];
      await values(context, [set("a", "taken")]);
      assert.deepEqual(await values(context, batch, "batch"), [2, "taken", true]);
      await values(context, [set("a", "again"), set("b", "two")]);
      context.advance(590_000);
      assert.deepEqual(await values(context, batch, "batch"), [2, "taken", true]);
      assert.deepEqual(await values(context, [increment("n", 0), get("a"), get("b")]), [2, "again", "two"]);
      assert.deepEqual(await values(context, batch, "another batch"), [4, "again", true]);
    },
  ),
]);
