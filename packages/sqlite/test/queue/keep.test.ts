import { group, moveQueue, task, type Duration, type Keep, type Queue, type Result } from "@taskq/core";
import { advance } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);

/** Lets time pass, and somebody ask for jobs when it has. */
async function pass(queue: Queue, time: Duration): Promise<void> {
  await advance(queue, time);
  await advance(queue, "1s");
  await advance(queue, "1s");
}

describe.each(storages)("what is kept on $name", ({ make }) => {
  const few = task(
    "few",
    { keep: { completed: { max: 3 }, failed: { for: "1d", max: 1 } } },
    async (n: number) => {
      if (n < 0) throw new Error("below zero");
      return n;
    },
  );

  test("of a task that keeps so many, the newest stay, and only of that task", async () => {
    const queue = immediateQueue(make(), { add, few });
    const plain = await queue.enqueueMany([1, 2, 3, 4, 5].map((a) => add.job({ a, b: 0 })));
    const results: Result[] = [];
    for (const n of [1, -1, 2, -2, 3, 4, 5, -3]) {
      results.push(await queue.enqueue(few.job(n)));
      await advance(queue, "1s");
    }
    await pass(queue, "12s");
    const kept = async () =>
      (await Promise.all(results.map((result) => result.peek()))).map((outcome) =>
        outcome?.state === "completed" ? outcome.value : outcome?.state,
      );
    expect(await kept()).toEqual([undefined, undefined, undefined, undefined, 3, 4, 5, "failed"]);
    expect(await Promise.all(plain.map((result) => result.wait()))).toEqual([1, 2, 3, 4, 5]);
    expect((await queue.counts({ by: "task" }))["few"]).toMatchObject({ completed: 3, failed: 1 });
    // For the others the queue's time counts, which ends first for what completed.
    await pass(queue, "2h");
    expect(await kept()).toEqual([...Array.from({ length: 7 }, () => undefined), "failed"]);
    await pass(queue, "1d");
    expect(await queue.counts()).toMatchObject({ completed: 0, failed: 0 });
  });

  test("a result is there for whoever waits for it, however few are kept", async () => {
    const none = task("none", { keep: { completed: { max: 0 } } }, async (n: number) => n);
    const queue = immediateQueue(make(), { none });
    const results = await queue.enqueueMany([1, 2, 3].map((n) => none.job(n)));
    expect(await Promise.all(results.map((result) => result.wait()))).toEqual([1, 2, 3]);
    await pass(queue, "11s");
    await expect(results[0]?.wait()).rejects.toThrow(/no longer kept/);
    expect((await queue.counts()).completed).toBe(0);
  });

  test("a group yields its values while it is kept, however long before it a member ended", async () => {
    const late = task("late", { retries: 1, backoff: "3h" }, async (n: number, { attempt }) => {
      if (attempt === 1) throw new Error("not yet");
      return n;
    });
    const queue = immediateQueue(make(), { add, late });
    const members = () => [add.job({ a: 1, b: 0 }), late.job(2)] as const;
    const result = await queue.enqueue(group([...members()]));
    const deep = await queue.enqueue(group([group([...members()])], { mode: "settled" }));
    for (let hour = 0; hour < 3; hour += 1) await pass(queue, "1h");
    expect(await result.wait()).toEqual([1, 2]);
    expect(await deep.wait()).toEqual([{ state: "completed", value: [1, 2] }]);
    await pass(queue, "2h");
    await expect(result.wait()).rejects.toThrow(/no longer kept/);
    expect(await queue.counts()).toMatchObject({ completed: 0 });
  });

  test("a group of which a result is gone yields nothing, rather than a hole", async () => {
    const queue = immediateQueue(make(), { add }, { keep: { completed: { max: 1 } } });
    const result = await queue.enqueue(group([1, 2, 3].map((a) => add.job({ a, b: 0 }))));
    await pass(queue, "1m");
    await expect(result.wait()).rejects.toMatchObject({ code: "TASKQ_STORAGE" });
    expect(await result.peek()).toBeUndefined();
  });

  test("many that are over are removed bit by bit, also while nothing runs", async () => {
    const queue = immediateQueue(make(), { few });
    await queue.enqueueMany(Array.from({ length: 700 }, (_, n) => few.job(n)));
    expect((await queue.counts()).completed).toBe(700);
    for (let second = 0; second < 40; second += 1) await advance(queue, "1s");
    expect((await queue.counts()).completed).toBe(3);
    const left: unknown[] = [];
    for await (const { input } of queue.jobs()) left.push(input);
    expect(left).toEqual([697, 698, 699]);
  });

  test("what has moved counts on", async () => {
    const from = immediateQueue(make(), { few });
    for (const n of [1, 2, 3]) await from.enqueue(few.job(n));
    const to = immediateQueue(make(), { few });
    await moveQueue(from, to);
    for (const n of [4, 5]) await to.enqueue(few.job(n));
    await pass(to, "11s");
    const left: unknown[] = [];
    for await (const { input } of to.jobs()) left.push(input);
    expect(left).toEqual([3, 4, 5]);
  });

  test("the queue's defaults may say so for every task, each by itself", async () => {
    const defaults = { keep: { completed: { max: 1 } } };
    const one = task("one", async (n: number) => n);
    const queue = immediateQueue(make(), { add, one }, { defaults });
    for (const n of [1, 2]) await queue.enqueueMany([one.job(n), add.job({ a: n, b: n })]);
    await pass(queue, "11s");
    const left: unknown[] = [];
    for await (const { input } of queue.jobs()) left.push(input);
    expect(left).toEqual([2, { a: 2, b: 2 }]);
  });
});

describe("keep", () => {
  test.each([
    [{ completed: { max: -1 } }, "task 'few' keep completed max: expected an integer of at least 0, got -1"],
    [{ failed: { max: 1.5 } }, "task 'few' keep failed max: expected an integer of at least 0, got 1.5"],
    [{ completed: { most: 5 } }, "task 'few' keep completed: unknown option 'most'; known are 'for', 'max'"],
    [{ completed: "soon" }, "task 'few' keep completed: expected a duration"],
  ])("%o is refused with what was expected", (keep, message) => {
    expect(() => task("few", { keep: keep as unknown as Keep }, async () => 1)).toThrow(message);
  });
});
