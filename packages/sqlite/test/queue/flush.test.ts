import { createQueue, group, task, type JobInfo } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { advance } from "@taskq/core/testing";
import { describe, expect, test, vi } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const fail = task("fail", async (n: number): Promise<number> => {
  throw new Error(`no ${n}`);
});
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0));

test.each(storages)("a flush of all on $name removes a thousand jobs at a time", async ({ make }) => {
  const queue = immediateQueue(make(), { add });
  await queue.enqueueMany(
    Array.from({ length: 2_300 }, (_, n) => ({ job: add.job({ a: n, b: 0 }), delay: "1h" }) as const),
  );
  const purge = vi.spyOn(engineOf(queue).storage, "purge");
  await queue.flush({ confirm: "default" });
  const answers = await Promise.all(
    purge.mock.results.map(({ value }) => value as Promise<{ removed: number }>),
  );
  expect(answers.map(({ removed }) => removed)).toEqual([1_000, 1_000, 300]);
  expect((await queue.counts()).scheduled).toBe(0);
});

describe.each(storages)("a flush of some jobs on $name", ({ make }) => {
  const setUp = () => immediateQueue(make(), { add, fail, sum });
  type Flushed = ReturnType<typeof setUp>;
  const confirm = "default";

  async function left(queue: Flushed): Promise<readonly string[]> {
    const jobs: JobInfo[] = [];
    for await (const job of queue.jobs()) jobs.push(job);
    return jobs.map(({ id, state }) => `${id} ${state}`).toSorted();
  }

  test("removes those of a state, a task and an age, and leaves values and schedules", async () => {
    const queue = setUp();
    await queue.values.set("kept", 1);
    await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "old sum" });
    await queue.enqueue(fail.job(1), { id: "old failure" });
    await advance(queue, "45m");
    await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "sum" });
    await queue.enqueue(fail.job(2), { id: "failure" });
    await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "later", delay: "1d" });
    await queue.flush({ confirm, state: "failed", olderThan: "30m" });
    expect(await left(queue)).toEqual([
      "failure failed",
      "later scheduled",
      "old sum completed",
      "sum completed",
    ]);
    await queue.flush({ confirm, task: add, state: ["completed", "failed"] });
    expect(await left(queue)).toEqual(["failure failed", "later scheduled"]);
    await queue.flush({ confirm, task: add });
    expect(await left(queue)).toEqual(["failure failed"]);
    await queue.flush({ confirm, olderThan: 0 });
    expect(await left(queue)).toEqual([]);
    expect(await queue.values.get("kept")).toBe(1);
    await advance(queue, "2d");
    expect(await queue.counts()).toMatchObject({ completed: 0, scheduled: 0, cancelled: 0 });
  });

  test("removes any number of them, given ids among them, and the ids stay taken", async () => {
    const queue = setUp();
    const entries = Array.from({ length: 650 }, (_, n) => {
      const job = add.job({ a: n, b: 0 });
      return n % 2 === 0 ? { job } : { job, id: `job ${n}` };
    });
    await queue.enqueueMany(entries);
    await queue.enqueue(fail.job(1), { id: "failure" });
    await queue.flush({ confirm, state: "completed" });
    expect(await left(queue)).toEqual(["failure failed"]);
    expect((await queue.enqueue(add.job({ a: 1, b: 0 }), { id: "job 1" })).existing).toBe(true);
  });

  test("skips what follows a job that waited, and leaves what an unfinished job needs", async () => {
    const queue = setUp();
    const told: string[] = [];
    queue.on(["revoked", "skipped"], ({ type, id }) => void told.push(`${type} ${id}`));
    const chain = await queue.enqueue(add.job({ a: 1, b: 1 }).pipe(fail), {
      delay: "1h",
      id: "second",
    });
    await queue.flush({ confirm, state: "scheduled" });
    expect(told).toEqual([`revoked ${chain.stages[0]?.id}`, "skipped second"]);
    expect(await left(queue)).toEqual(["second skipped"]);

    await queue.pause(sum);
    const result = await queue.enqueue(group([add.job({ a: 1, b: 2 }), add.job({ a: 3, b: 4 })]).pipe(sum));
    await queue.flush({ confirm, state: "completed" });
    await queue.resume(sum);
    await advance(queue, 1);
    expect(await result.wait()).toBe(10);
  });

  test("leaves jobs that run", async () => {
    const states: unknown[] = [];
    const own = task("own", async (_: void, { id }) => {
      await queue.flush({ confirm, task: own });
      states.push((await queue.job(id))?.state);
    });
    const queue = immediateQueue(make(), { own });
    await queue.enqueue(own.job());
    expect(states).toEqual(["active"]);
    expect((await queue.counts()).completed).toBe(1);
  });

  test.each([
    [{ confirm: "other" }, "TASKQ_CONFIRM", "expected { confirm: 'default' }"],
    [{ confirm, state: "active" }, "TASKQ_OPTION", "flush state: expected 'blocked' or 'scheduled' or"],
    [{ confirm, state: ["failed", "gone"] }, "TASKQ_OPTION", "got 'gone'"],
    [{ confirm, olderThan: "a while" }, "TASKQ_OPTION", "flush olderThan: expected a duration"],
    [{ confirm, states: "failed" }, "TASKQ_OPTION", "flush: unknown option 'states'"],
    [{ confirm, task: "add" }, "TASKQ_OPTION", "expected"],
    [
      { confirm, task: undefined },
      "TASKQ_OPTION",
      "flush task: expected a value, or no such option, got undef",
    ],
    [{ confirm, state: undefined }, "TASKQ_OPTION", "flush state: expected a value, or no such option, got"],
    [{ confirm, state: "failed", olderThan: undefined }, "TASKQ_OPTION", "flush olderThan: expected a value"],
  ])("%o is refused, and removes nothing", async (options, code, message) => {
    const queue = setUp();
    await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "kept" });
    const flushed: unknown = await queue.flush(options as never).catch((refusal: unknown) => refusal);
    expect(flushed).toMatchObject({ code, message: expect.stringContaining(message) as string });
    expect(await left(queue)).toEqual(["kept completed"]);
  });

  test("goes on while others enqueue, and leaves what they enqueued", async () => {
    const storage = make();
    const queue = immediateQueue(storage, { add });
    const beside = createQueue({ storage, tasks: { add } });
    await queue.enqueueMany(Array.from({ length: 450 }, (_, n) => add.job({ a: n, b: 0 })));
    await advance(queue, 1);
    const [late] = await Promise.all([
      beside.enqueue(add.job({ a: 1, b: 1 }), { delay: "1d" }),
      queue.flush({ confirm, olderThan: 1 }),
    ]);
    expect(await late.state()).toBe("scheduled");
    expect(await queue.counts()).toMatchObject({ completed: 0, scheduled: 1 });
    await beside.close();
  });
});
