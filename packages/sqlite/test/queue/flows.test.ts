import {
  asCompleted,
  Cancel,
  every,
  Fatal,
  group,
  JobFailedError,
  JobSkippedError,
  task,
  type FailureReport,
  type Job,
  type Outcome,
} from "@taskq/core";
import { advance } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const increase = task("increase", async ({ input, by }: { input: number; by: number }) => input + by);
const next = task("next", async (number: number) => number + 1);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0));
const fibonacci = task("fibonacci", async ({ a, b }: { a: number; b: number }) => ({ a: b, b: a + b }));
const fail = task("fail", async (): Promise<number> => {
  throw new Fatal("for good");
});
const cancel = task("cancel", async (): Promise<number> => {
  throw new Cancel("not wanted");
});
const count = task("count", async (outcomes: readonly Outcome<number>[]) =>
  outcomes.map(({ state }) => state),
);
const errors = task("errors", async (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.state === "failed" ? outcome.error.message : outcome.state)),
);
/** Too late for a flow that begins in an hour. */
const late = task("late", { expires: "30m" }, async (): Promise<number> => 0);
const big = task("big", async (size: number) => "x".repeat(size));
const lengths = task("lengths", async (texts: readonly string[]) => texts.map((text) => text.length));

function pipe(stages: number): Job<number, "next"> {
  let job = next.job(0);
  for (let stage = 1; stage < stages; stage += 1) job = job.pipe(next);
  return job;
}

describe.each(storages)("flows on $name", ({ make }) => {
  test("groups are inside each other 500 times at most, and so many run", async () => {
    const isReached = task("is-reached", async (output: readonly unknown[]) => {
      let inner: unknown = output;
      while (Array.isArray(inner)) inner = inner[0];
      return inner;
    });
    const queue = immediateQueue(make(), { add, isReached });
    const nested = (levels: number): Job<readonly unknown[]> => {
      let job: Job<any> = add.job({ a: 2, b: 3 });
      for (let level = 0; level < levels; level += 1) job = group([job]);
      return job;
    };
    expect(await (await queue.enqueue(nested(500).pipe(isReached) as never)).wait()).toBe(5);
    await expect(queue.enqueue(nested(501) as never)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "group: expected at most 500 groups inside each other",
    });
    expect(await queue.counts()).toMatchObject({ blocked: 0, completed: 2 });
  });

  test("a pipe may have thousands of stages, and as many error handlers", async () => {
    const { queue, alert, reports } = setUp();
    const result = await queue.enqueue(pipe(12_000), { id: "long" });
    expect(result.id).toBe("long");
    expect(result.stages.map(({ id }) => id)).toHaveLength(12_000);
    expect(await result.wait()).toBe(12_000);
    let guarded: Job<number, "fail" | "alert"> = fail.job();
    for (let handler = 0; handler < 12_000; handler += 1) guarded = guarded.onError(alert);
    await queue.enqueue(guarded);
    expect(reports).toHaveLength(12_000);
  });

  test("the job of a stored schedule has parts inside each other up to a limit, which whoever stores it is told", async () => {
    const { queue } = setUp();
    await queue.schedules.upsert("long", { schedule: every("1h"), job: pipe(190) });
    const fired = await queue.schedules.trigger("long");
    expect(await fired.wait()).toBe(190);
    for (const stages of [501, 12_000]) {
      await expect(
        queue.schedules.upsert("longer", { schedule: every("1h"), job: pipe(stages) }),
      ).rejects.toMatchObject({
        code: "TASKQ_OPTION",
        message: expect.stringContaining("schedule job: expected at most 500 stages"),
      });
    }
  });

  function setUp() {
    const reports: FailureReport[] = [];
    const alert = task("alert", async (report: FailureReport) => void reports.push(report));
    const tasks = {
      add,
      increase,
      next,
      sum,
      fibonacci,
      fail,
      cancel,
      count,
      errors,
      big,
      lengths,
      late,
      alert,
    };
    return { queue: immediateQueue(make(), tasks), alert, reports };
  }

  test("a pipeline of four adds gives 3, 6, 10, 15", async () => {
    const { queue } = setUp();
    const job = add
      .job({ a: 1, b: 2 })
      .pipe(increase, { by: 3 })
      .pipe(increase, { by: 4 })
      .pipe(increase, { by: 5 });
    const result = await queue.enqueue(job);
    expect(await Promise.all(result.stages.map((stage) => stage.wait()))).toEqual([3, 6, 10, 15]);
    expect(await result.wait()).toBe(15);
  });

  test("a pipeline of which a stage was revoked goes on when it is restored as a whole, and says so", async () => {
    const { queue } = setUp();
    await queue.pause();
    const result = await queue.enqueue(add.job({ a: 1, b: 2 }).pipe(increase, { by: 3 }));
    expect(await result.stages[0]?.revoke()).toBe(true);
    await queue.resume();
    expect(await result.state()).toBe("skipped");
    expect(await result.restore()).toBe(true);
    expect(await result.peek()).toEqual({ state: "completed", value: 6 });
    expect(await result.restore()).toBe(false);
  });

  test("a pipeline hands its state on: the Fibonacci numbers", async () => {
    const { queue } = setUp();
    let job = fibonacci.job({ a: 0, b: 1 });
    for (let step = 0; step < 10; step += 1) job = job.pipe(fibonacci);
    expect(await (await queue.enqueue(job)).wait()).toEqual({ a: 89, b: 144 });
  });

  test("a group yields its outputs in the order given, and a chord adds them up", async () => {
    const { queue } = setUp();
    const jobs = [5, 3, 1].map((a) => add.job({ a, b: 10 }));
    expect(await (await queue.enqueue(group(jobs))).wait()).toEqual([15, 13, 11]);
    expect(await (await queue.enqueue(group(jobs).pipe(sum))).wait()).toBe(39);
  });

  test("groups hold pipelines and groups", async () => {
    const { queue } = setUp();
    const inner = group([add.job({ a: 1, b: 1 }), add.job({ a: 2, b: 2 })]);
    const outer = group([inner.pipe(sum), add.job({ a: 1, b: 2 }).pipe(increase, { by: 1 }), inner]);
    expect(await (await queue.enqueue(outer)).wait()).toEqual([6, 4, [2, 4]]);
  });

  test("an empty group completes at once", async () => {
    const { queue } = setUp();
    expect(await (await queue.enqueue(group([]))).wait()).toEqual([]);
    expect(await (await queue.enqueue(group<readonly (typeof one)[]>([]).pipe(sum))).wait()).toBe(0);
  });
  const one = add.job({ a: 1, b: 1 });

  test("a failed stage skips the later ones, which name it", async () => {
    const { queue } = setUp();
    const result = await queue.enqueue(fail.job().pipe(increase, { by: 1 }).pipe(increase, { by: 1 }));
    const [first] = result.stages;
    expect(await result.peek()).toMatchObject({ state: "skipped", cause: first?.id });
    await expect(result.wait()).rejects.toThrow(JobSkippedError);
    await expect(first?.wait()).rejects.toThrow(JobFailedError);
  });

  test("a member that fails fails the group with its error", async () => {
    const { queue } = setUp();
    const result = await queue.enqueue(group([add.job({ a: 1, b: 1 }), fail.job()]).pipe(sum));
    expect(await result.peek()).toMatchObject({ state: "skipped" });
    const bare = await queue.enqueue(group([add.job({ a: 1, b: 1 }), fail.job()]));
    await expect(bare.wait()).rejects.toThrow("for good");
  });

  test("the error of a group that failed tells the member, its task and how often it ran", async () => {
    const flaky = task("flaky", { retries: 2 }, async (): Promise<number> => {
      throw new Error("again and again");
    });
    const queue = immediateQueue(make(), { flaky, increase });
    for (const member of [flaky.job(), flaky.job().pipe(increase, { by: 1 }), group([flaky.job()])]) {
      const result = await queue.enqueue(group([member]));
      await expect(result.wait()).rejects.toMatchObject({
        id: result.stages[0]?.id,
        task: "flaky",
        attempts: 3,
        error: { message: "again and again" },
      });
    }
  });

  test("a settled group goes on with every outcome", async () => {
    const { queue } = setUp();
    const members = [add.job({ a: 1, b: 1 }), fail.job(), cancel.job()];
    const result = await queue.enqueue(group(members, { mode: "settled" }));
    expect(await result.wait()).toMatchObject([
      { state: "completed", value: 2 },
      { state: "failed", error: { message: "for good" } },
      { state: "cancelled", reason: "not wanted" },
    ]);
    const counted = await queue.enqueue(group(members, { mode: "settled" }).pipe(count));
    expect(await counted.wait()).toEqual(["completed", "failed", "cancelled"]);
  });

  test("a group that failed within a settled one is told with its member's error", async () => {
    const { queue } = setUp();
    const broken = [
      group([add.job({ a: 1, b: 1 }), fail.job()]),
      group([fail.job().pipe(increase, { by: 1 })]),
      group([group([group([fail.job()])])]),
      // The bytes of its members are left out when it is handed over.
      group([big.job(70_000), fail.job()]),
    ];
    const failed = { state: "failed", error: { name: "Fatal", message: "for good" } };
    const outcomes = [failed, failed, failed, failed];
    const bare = await queue.enqueue(group(broken, { mode: "settled" }));
    expect(await bare.wait()).toMatchObject(outcomes);
    const deeper = await queue.enqueue(group([group(broken, { mode: "settled" }), group([])]));
    expect(await deeper.wait()).toMatchObject([outcomes, []]);
    const told = await queue.enqueue(group(broken, { mode: "settled" }).pipe(errors));
    expect(await told.wait()).toEqual(["for good", "for good", "for good", "for good"]);
  });

  test("a group that failed says so when the member because of which is no longer kept", async () => {
    const brief = task("brief", { keep: { failed: "1m" } }, async (): Promise<number> => {
      throw new Fatal("for good");
    });
    const queue = immediateQueue(make(), { brief, add });
    const result = await queue.enqueue(group([brief.job()]));
    const [member] = result.stages;
    const settled = await queue.enqueue(group([group([brief.job()])], { mode: "settled" }));
    await advance(queue, "2m");
    await queue.enqueue(add.job({ a: 1, b: 1 }));
    await expect.poll(async () => member?.state()).toBeUndefined();
    const error = { message: `a member of the group failed: ${member?.id}` };
    await expect(result.wait()).rejects.toMatchObject({ id: member?.id, error });
    expect(await settled.wait()).toMatchObject([{ state: "failed", error: { code: "TASKQ_FAILED" } }]);
  });

  test("a chord with failing, revoked and expired members is told each of them", async () => {
    const { queue } = setUp();
    const members = [add.job({ a: 1, b: 1 }), fail.job(), add.job({ a: 2, b: 2 }), cancel.job(), late.job()];
    const flow = group(members, { mode: "settled" }).pipe(count);
    const result = await queue.enqueue(flow, { delay: "1h" });
    const third = result.stages[2];
    expect(await third?.revoke()).toBe(true);
    await advance(queue, "1h");
    expect(await result.wait()).toEqual(["completed", "failed", "cancelled", "cancelled", "expired"]);
    expect(await queue.counts()).toMatchObject({ completed: 2, failed: 1, cancelled: 2, expired: 1 });
  });

  test("an error handler runs once, with the stage that failed", async () => {
    const { queue, alert, reports } = setUp();
    const result = await queue.enqueue(
      add.job({ a: 1, b: 1 }).pipe(task1).pipe(increase, { by: 1 }).onError(alert),
    );
    await expect(result.wait()).rejects.toThrow(JobSkippedError);
    expect(reports).toMatchObject([
      { task: "fail", attempts: 1, error: { message: "for good", name: "Fatal" } },
    ]);
    expect(reports[0]?.id).toBe(result.stages[1]?.id);
  });
  const task1 = task("fail", async (given: number): Promise<number> => given);

  test("an error handler of a cancelled flow does not run", async () => {
    const { queue, alert, reports } = setUp();
    const result = await queue.enqueue(cancel.job().pipe(increase, { by: 1 }).onError(alert));
    expect(await result.peek()).toMatchObject({ state: "skipped" });
    expect(reports).toEqual([]);
  });

  test("an error handler of a flow that completes is skipped", async () => {
    const { queue, alert, reports } = setUp();
    await (await queue.enqueue(add.job({ a: 1, b: 1 }).onError(alert))).wait();
    expect(reports).toEqual([]);
    expect((await queue.counts()).skipped).toBe(1);
  });

  test("revoking a flow cancels what has not ended, revoking a stage what comes after", async () => {
    const { queue } = setUp();
    const flow = add.job({ a: 1, b: 1 }).pipe(increase, { by: 1 }).pipe(increase, { by: 1 });
    const whole = await queue.enqueue(flow, { delay: "1h" });
    expect(await whole.revoke()).toBe(true);
    expect(await Promise.all(whole.stages.map((stage) => stage.state()))).toEqual([
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
    const part = await queue.enqueue(flow, { delay: "1h" });
    expect(await part.stages[1]?.revoke()).toBe(true);
    await advance(queue, "1h");
    expect(await Promise.all(part.stages.map((stage) => stage.state()))).toEqual([
      "completed",
      "cancelled",
      "skipped",
    ]);
  });

  test("revoking a flow that was there already, under its id, cancels and restores all of it", async () => {
    const { queue } = setUp();
    const flow = add.job({ a: 1, b: 1 }).pipe(increase, { by: 1 });
    const [id, delay] = ["flow", "1h"] as const;
    const first = await queue.enqueue(flow, { id, delay });
    const states = () => Promise.all(first.stages.map((stage) => stage.state()));
    const again = await queue.enqueue(flow, { id, delay });
    const [among] = await queue.enqueueMany([{ job: flow, id, delay }]);
    for (const handle of [again, among]) {
      expect([handle?.existing, handle?.stages.map((stage) => stage.id)]).toEqual([true, [id]]);
      expect(await handle?.revoke()).toBe(true);
      expect(await states()).toEqual(["cancelled", "cancelled"]);
      expect(await handle?.restore()).toBe(true);
      expect(await states()).toEqual(["scheduled", "blocked"]);
    }
    await advance(queue, "1h");
    expect(await again.wait()).toBe(3);
  });

  test("a flow that was revoked is restored and runs", async () => {
    const { queue } = setUp();
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }).pipe(increase, { by: 1 }), { delay: "1h" });
    await result.revoke();
    expect(await result.restore()).toBe(true);
    await advance(queue, "1h");
    expect(await result.wait()).toBe(3);
  });

  test("a failed flow is retried by hand and goes on", async () => {
    let broken = true;
    const flaky = task("flaky", async () => {
      if (broken) throw new Error("not yet");
      return 1;
    });
    const queue = immediateQueue(make(), { flaky, increase });
    const result = await queue.enqueue(flaky.job().pipe(increase, { by: 1 }));
    expect(await result.state()).toBe("skipped");
    broken = false;
    expect(await queue.retry(result.stages[0]?.id ?? "")).toBe(true);
    expect(await result.wait()).toBe(2);
    expect(await queue.retry(result.id)).toBe(false);
  });

  test("results too large to be carried are read", async () => {
    const { queue } = setUp();
    const result = await queue.enqueue(group([big.job(60_000), big.job(70_000)]).pipe(lengths));
    expect(await result.wait()).toEqual([60_000, 70_000]);
  });

  test("a group of ten thousand fails without delay", async () => {
    const { queue } = setUp();
    const members = [fail.job(), ...Array.from({ length: 9_999 }, (_, a) => add.job({ a, b: 1 }))];
    const began = performance.now();
    const result = await queue.enqueue(group(members).pipe(sum));
    expect(await result.state()).toBe("skipped");
    const counts = await queue.counts();
    expect(counts.ready + counts.active + counts.blocked).toBe(0);
    expect(counts.skipped + counts.completed).toBe(10_000);
    expect(performance.now() - began).toBeLessThan(8_000);
  }, 20_000);

  test("what a run enqueues with join is waited for, and stored once", async () => {
    const runs: number[] = [];
    let fragile = true;
    const child = task("child", async (n: number) => void runs.push(n));
    const parent = task("parent", { retries: 1 }, async (_: void, { enqueue }) => {
      for (const n of [1, 2, 3]) await enqueue(child.job(n), { join: true });
      if (fragile) {
        fragile = false;
        throw new Error("after the fan-out");
      }
      return 3;
    });
    const after = task("after", async (n: number) => [n, ...runs]);
    const queue = immediateQueue(make(), { child, parent, after });
    expect(await (await queue.enqueue(parent.job().pipe(after))).wait()).toEqual([3, 1, 2, 3]);
  });

  test("a settled group within a group goes on without what a member added and what failed", async () => {
    const parent = task(
      "parent",
      async (_: void, { enqueue }) => void (await enqueue(fail.job(), { join: true })),
    );
    const states = task("states", async ([outcomes]: readonly (readonly Outcome[])[]) =>
      (outcomes ?? []).map(({ state }) => state),
    );
    const queue = immediateQueue(make(), { add, fail, parent, states });
    const settled = group([parent.job(), add.job({ a: 1, b: 1 })], { mode: "settled" });
    const result = await queue.enqueue(group([settled]).pipe(states));
    expect(await result.wait()).toEqual(["failed", "completed"]);
  });

  test("what a member adds in place of another member ends with the group that this breaks, once", async () => {
    const unique = { key: "one", while: "waiting", onConflict: "replace" } as const;
    const other = task("other", { unique }, async () => 1);
    const parent = task("parent", { priority: 1 }, async (_: void, { enqueue }) => {
      await enqueue(other.job(), { join: true });
      return 2;
    });
    const queue = immediateQueue(make(), { other, parent, sum });
    const result = await queue.enqueue(group([parent.job(), other.job()]).pipe(sum));
    expect(await result.state()).toBe("skipped");
    const states: string[] = [];
    for await (const { task: name, state } of queue.jobs()) states.push(`${name} ${state}`);
    expect(states.toSorted()).toEqual([
      "other cancelled",
      "other skipped",
      "parent completed",
      "sum skipped",
    ]);
    expect(await queue.counts()).toMatchObject({ completed: 1, cancelled: 1, skipped: 2, ready: 0 });
    expect(await (await queue.enqueue(other.job())).wait()).toBe(1);
  });

  test("results are told in the order in which they become final", async () => {
    const { queue } = setUp();
    const slow = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "2h" });
    const quick = await queue.enqueue(add.job({ a: 2, b: 2 }), { delay: "1h" });
    const order: string[] = [];
    const reading = (async () => {
      for await (const result of asCompleted([slow, quick])) order.push(result.id);
    })();
    await advance(queue, "90m");
    await new Promise((resolve) => setTimeout(resolve, 20));
    await advance(queue, "1h");
    await reading;
    expect(order).toEqual([quick.id, slow.id]);
  });
});
