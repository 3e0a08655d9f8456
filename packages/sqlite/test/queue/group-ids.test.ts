import { createQueue, group, moveQueue, task, type FailureReport } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { advance } from "@taskq/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const fail = task("fail", async (): Promise<number> => {
  throw new Error("no");
});
const members = [add.job({ a: 1, b: 2 }), add.job({ a: 3, b: 4 })];
const id = "batch 7";
const other = (last: string): string => (last === "0" ? "1" : "0");

describe.each(storages)("ids of groups on $name", ({ make }) => {
  test("the same id again answers the group that is there, also when its members are others", async () => {
    const queue = immediateQueue(make(), { add });
    const first = await queue.enqueue(group(members), { id });
    expect([first.id, first.existing, await first.wait()]).toEqual([id, false, [3, 7]]);
    const again = await queue.enqueue(group([add.job({ a: 9, b: 9 })]), { id });
    expect([again.id, again.existing, await again.wait()]).toEqual([id, true, [3, 7]]);
    expect(await queue.result(id).wait()).toEqual([3, 7]);
    expect((await queue.counts()).completed).toBe(2);
    await expect(queue.enqueue(add.job({ a: 1, b: 1 }), { id })).rejects.toMatchObject({
      code: "TASKQ_ID_TAKEN",
      message: 'the id "batch 7" belongs to a group, not "add"',
    });
    await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "a job" });
    await expect(queue.enqueue(group(members), { id: "a job" })).rejects.toMatchObject({
      code: "TASKQ_ID_TAKEN",
      message: 'the id "a job" belongs to a job of task "add", not a group',
    });
  });

  test("an id that core has made for another job is taken", async () => {
    const queue = immediateQueue(make(), { add });
    const made = await queue.enqueue(add.job({ a: 1, b: 2 }));
    await expect(queue.enqueue(group(members), { id: made.id })).rejects.toMatchObject({
      code: "TASKQ_ID_TAKEN",
      message: `the id "${made.id}" belongs to a job of task "add", not a group`,
    });
    const again = await queue.enqueue(add.job({ a: 5, b: 5 }), { id: made.id });
    expect([again.existing, await again.wait()]).toEqual([true, 3]);
  });

  test("it is the id of the outermost group, and of one with an error handler", async () => {
    const reports: FailureReport[] = [];
    const alert = task("alert", async (report: FailureReport) => void reports.push(report));
    const queue = immediateQueue(make(), { add, fail, alert });
    const nested = await queue.enqueue(group([group(members), add.job({ a: 5, b: 5 })]), { id });
    expect([nested.id, await nested.wait()]).toEqual([id, [[3, 7], 10]]);
    const guarded = group([add.job({ a: 1, b: 1 }), fail.job()]).onError(alert);
    const failed = await queue.enqueue(guarded, { id: "guarded" });
    await expect(failed.wait()).rejects.toMatchObject({ code: "TASKQ_FAILED" });
    expect(failed.id).toBe("guarded");
    expect(reports).toMatchObject([{ task: "fail" }]);
    expect(await (await queue.enqueue(group([]), { id: "empty" })).wait()).toEqual([]);
  });

  test("it is remembered for a day after the group was removed, and no longer", async () => {
    const queue = immediateQueue(make(), { add }, { keep: { completed: "1m" } });
    await queue.enqueue(group(members), { id });
    await advance(queue, "2h");
    await advance(queue, "1s");
    const gone = await queue.enqueue(group(members), { id });
    expect([gone.existing, await gone.state()]).toEqual([true, undefined]);
    await expect(gone.wait()).rejects.toThrow(/no longer kept/);
    await advance(queue, "1d");
    expect((await queue.enqueue(group(members), { id })).existing).toBe(false);
  });

  test("a group is revoked by its id", async () => {
    const queue = immediateQueue(make(), { add });
    await queue.enqueue(group(members), { id, delay: "1h" });
    expect(await queue.result(id).revoke()).toBe(true);
    expect(await queue.result(id).state()).toBe("skipped");
    expect((await queue.counts()).cancelled).toBe(2);
  });

  test.each(storages)("it moves with its queue to $name", async ({ make: makeOther }) => {
    const from = createQueue({ storage: make(), tasks: { add } });
    const to = createQueue({ storage: makeOther(), tasks: { add } });
    onTestFinished(async () => void (await Promise.all([from.close(), to.close()])));
    // One of them looks as if core had made it.
    const ids = [id, (await from.enqueue(add.job({ a: 1, b: 1 }))).id.replace(/.$/, other)];
    for (const own of ids) await from.enqueue(group(members), { id: own });
    await moveQueue(from, to);
    await new InlineRunner(engineOf(to)).runDue();
    for (const own of ids) {
      const again = await to.enqueue(group([add.job({ a: 9, b: 9 })]), { id: own });
      expect([again.existing, await again.wait()]).toEqual([true, [3, 7]]);
    }
  });
});
