import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import {
  Cancel,
  createQueue,
  exponential,
  Fatal,
  JobCancelledError,
  JobExpiredError,
  JobFailedError,
  ResultTimeoutError,
  Retry,
  task,
  TaskqError,
  type Job,
  type QueueEvent,
  type StandardSchema,
} from "@taskq/core";
import { advance } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const nothing = task("nothing", async () => {});

describe.each(storages)("jobs and results on $name", ({ make }) => {
  test("a result repeats, and undefined is one", async () => {
    const queue = immediateQueue(make(), { add, nothing });
    const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
    expect([await result.wait(), await result.wait(), await queue.result(add, result.id).wait()]).toEqual([
      5, 5, 5,
    ]);
    const empty = await queue.enqueue(nothing.job());
    expect(await empty.peek()).toEqual({ state: "completed", value: undefined });
  });

  test("a job waits until it is due", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "10m" });
    expect(await result.state()).toBe("scheduled");
    expect(await result.peek()).toBeUndefined();
    await advance(queue, "9m");
    expect(await result.state()).toBe("scheduled");
    await advance(queue, "1m");
    expect(await result.wait()).toBe(2);
  });

  test("rescheduling moves a waiting job in place, and refuses a final one", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "1h" });
    expect(await result.reschedule({ delay: "1m" })).toBe(true);
    await advance(queue, "1m");
    expect(await result.state()).toBe("completed");
    expect(await result.reschedule({ delay: "1m" })).toBe(false);
  });

  test("a delayed flow whose first job is moved ahead runs to its end", async () => {
    const negate = task("negate", async (n: number) => -n);
    const queue = immediateQueue(make(), { add, negate });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }).pipe(negate), { delay: "1h" });
    expect(await result.stages[0]?.reschedule({ delay: "1m" })).toBe(true);
    await advance(queue, "1m");
    expect(await result.peek()).toEqual({ state: "completed", value: -2 });
  });

  test("a flaky job is retried 2, 4, 8, 16, 32 s later, and its attempts are kept", async () => {
    const flaky = task(
      "flaky",
      { retries: 5, backoff: exponential({ base: "2s" }) },
      async (_: void, { attempt }) => {
        throw new Error(`attempt ${attempt}`);
      },
    );
    const queue = immediateQueue(make(), { flaky });
    const events: QueueEvent[] = [];
    queue.on(["retrying", "failed"], (event) => void events.push(event));
    const result = await queue.enqueue(flaky.job());
    await advance(queue, "5m");
    const info = await result.info();
    const starts = info?.attempts.map(({ startedAt }) => startedAt.getTime()) ?? [];
    expect(starts.slice(1).map((start, index) => start - (starts[index] ?? 0))).toEqual(
      [2, 4, 8, 16, 32].map((s) => s * 1_000),
    );
    expect(info?.attempts.map(({ error }) => error?.message)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `attempt ${n}`),
    );
    expect(events.map(({ type }) => type)).toEqual([...Array(5).fill("retrying"), "failed"]);
    await expect(result.wait()).rejects.toMatchObject({ code: "TASKQ_FAILED", attempts: 6 });
  });

  test("Retry, Cancel and Fatal say what follows", async () => {
    const asked = task("asked", async (_: void, { attempt }) => {
      if (attempt < 3) throw new Retry({ delay: "1s" });
      return attempt;
    });
    const cancelled = task("cancelled", { retries: 3 }, async () => {
      throw new Cancel("gone");
    });
    const fatal = task("fatal", { retries: 3 }, async () => {
      throw new Fatal("no use");
    });
    const queue = immediateQueue(make(), { asked, cancelled, fatal });
    const patient = await queue.enqueue(asked.job());
    await advance(queue, "10s");
    expect(await patient.wait()).toBe(3);
    expect((await patient.info())?.failures).toBe(0);
    await expect((await queue.enqueue(cancelled.job())).wait()).rejects.toThrow(JobCancelledError);
    const failed = await queue.enqueue(fatal.job());
    await expect(failed.wait()).rejects.toThrow(JobFailedError);
    expect((await failed.info())?.attempt).toBe(1);
  });

  test("expiry is counted once, from the first enqueue", async () => {
    const flaky = task("flaky", { retries: 9, backoff: "1m", expires: "90s" }, async () => {
      throw new Error("again");
    });
    const queue = immediateQueue(make(), { flaky, add });
    const result = await queue.enqueue(flaky.job());
    await advance(queue, "10m");
    expect(await result.peek()).toMatchObject({ state: "expired" });
    await expect(result.wait()).rejects.toThrow(JobExpiredError);
    const late = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "1h", expires: "30m" });
    await advance(queue, "2h");
    expect(await late.state()).toBe("expired");
  });

  test("the same id again answers the job that is there", async () => {
    const queue = immediateQueue(make(), { add, nothing });
    const first = await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "sum-1" });
    const again = await queue.enqueue(add.job({ a: 5, b: 5 }), { id: "sum-1" });
    expect([first.id, first.existing, again.id, again.existing]).toEqual(["sum-1", false, "sum-1", true]);
    expect(await again.wait()).toBe(2);
    await expect(queue.enqueue(nothing.job(), { id: "sum-1" })).rejects.toMatchObject({
      code: "TASKQ_ID_TAKEN",
    });
  });

  test("inputs whose fields are written in another order are one unique job", async () => {
    const sync = task(
      "sync",
      { unique: {} },
      async (input: { shop: { id: number; place?: string }; since: Date }) => input.shop.id,
    );
    const queue = immediateQueue(make(), { sync });
    const since = new Date(0);
    const inputs = [
      { shop: { id: 1, place: "x" }, since },
      { since, shop: { place: "x", id: 1 } },
      { since, shop: { id: 1 } },
    ];
    const jobs = inputs.map((input) => sync.job(input));
    const results = await queue.enqueueMany(jobs, { delay: "1h" });
    expect(results.map(({ existing }) => existing)).toEqual([false, true, false]);
  });

  test("inputs of which one names an object twice, and another two alike, are one unique job", async () => {
    interface Point {
      x: number;
      y: number;
    }
    const draw = task("draw", { unique: {} }, async ({ from, to }: { from: Point; to: Point }) => [from, to]);
    const queue = immediateQueue(make(), { draw });
    const point = { y: 1, x: 2 };
    const inputs = [
      { from: point, to: point },
      { to: { x: 2, y: 1 }, from: { ...point } },
    ];
    const results = await queue.enqueueMany(
      inputs.map((input) => draw.job(input)),
      { delay: "1h" },
    );
    expect(results.map(({ existing }) => existing)).toEqual([false, true]);
  });

  test("one job a unique key: ignored or replaced", async () => {
    const runs: string[] = [];
    const note = task(
      "note",
      { unique: { key: ({ key }: { key: string }) => key } },
      async ({ key, text }: { key: string; text: string }) => {
        runs.push(`${key} ${text}`);
      },
    );
    const latest = task(
      "latest",
      { unique: { key: "all", while: "waiting", onConflict: "replace" } },
      async (text: string) => {
        runs.push(text);
      },
    );
    const queue = immediateQueue(make(), { note, latest });
    const first = await queue.enqueue(note.job({ key: "a", text: "1" }), { delay: "1m" });
    const second = await queue.enqueue(note.job({ key: "a", text: "2" }), { delay: "1m" });
    expect([second.id, second.existing]).toEqual([first.id, true]);
    const one = await queue.enqueue(latest.job("one"), { delay: "1m" });
    await queue.enqueue(latest.job("two"), { delay: "1m" });
    expect(await one.peek()).toEqual({ state: "cancelled", reason: "replaced" });
    await advance(queue, "2m");
    expect(runs).toEqual(["a 1", "two"]);
  });

  test("priorities go first, and equals in the order of enqueue", async () => {
    const runs: number[] = [];
    const record = task("record", async (n: number) => void runs.push(n));
    const queue = immediateQueue(make(), { record });
    await queue.pause();
    await queue.enqueueMany([1, 2, 3].map((n) => record.job(n)));
    await queue.enqueue(record.job(9), { priority: 5 });
    await queue.resume();
    await advance(queue, 1);
    expect(runs).toEqual([9, 1, 2, 3]);
  });

  test("many jobs are stored in batches from any iterable, with options of their own", async () => {
    const queue = immediateQueue(make(), { add });
    async function* jobs() {
      for (let a = 0; a < 2_500; a += 1)
        yield a === 7 ? { job: add.job({ a, b: 0 }), id: "seven" } : add.job({ a, b: 0 });
    }
    const results = await queue.enqueueMany(jobs());
    expect(results).toHaveLength(2_500);
    expect(results[7]?.id).toBe("seven");
    expect(await results[2_499]?.wait()).toBe(2_499);
  }, 20_000);

  test("when a job of a batch is due is its own, where it says so in the other way; one that says nothing is due as the batch", async () => {
    const adder = task("adder", async (_: void, { enqueueMany }) => {
      const jobs = [{ job: nothing.job(), at: new Date(0) }, nothing.job()];
      const joined = await enqueueMany(jobs, { delay: "1h", join: true });
      return joined.map(({ id }) => id);
    });
    const queue = immediateQueue(make(), { nothing, adder });
    const unsaid = { job: nothing.job(), delay: undefined, priority: undefined } as unknown as { job: Job };
    const results = await queue.enqueueMany(
      [nothing.job(), { job: nothing.job(), at: new Date(0) }, unsaid as never],
      { delay: "1h", priority: 7 },
    );
    expect(await Promise.all(results.map((result) => result.state()))).toEqual([
      "scheduled",
      "completed",
      "scheduled",
    ]);
    const late = await queue.enqueueMany([{ job: nothing.job(), delay: "1h" }], { at: new Date(0) });
    expect(await late[0]?.state()).toBe("scheduled");
    expect((await results[2]?.info())?.priority).toBe(7);
    const ids = await (await queue.enqueue(adder.job())).wait();
    expect(await Promise.all(ids.map((id) => queue.result(id).state()))).toEqual(["completed", "scheduled"]);
    const both = [{ job: nothing.job(), delay: 1, at: new Date(0) }];
    await expect(queue.enqueueMany(both as never)).rejects.toMatchObject({ code: "TASKQ_OPTION" });
  });

  test("a join that is no flag is refused", async () => {
    const adder = task("adder", async (_: void, { enqueue }) => {
      await enqueue(nothing.job(), { join: "no" as never });
    });
    const queue = immediateQueue(make(), { nothing, adder });
    await expect((await queue.enqueue(adder.job())).wait()).rejects.toMatchObject({
      error: { code: "TASKQ_OPTION", message: "enqueue join: expected true or false, got 'no'" },
    });
  });

  test("a context that is printed shows its members, and nothing of the queue behind it", async () => {
    const printing = task("printing", async (_: void, context) => [
      inspect(context),
      JSON.stringify(context),
    ]);
    const queue = immediateQueue(make(), { printing });
    const result = await queue.enqueue(printing.job(), { headers: { trace: "abc" } });
    const [printed = "", json = ""] = await result.wait();
    expect(printed).toMatch(/^\{\n {2}id: '\w{22}',\n {2}task: 'printing',\n {2}attempt: 1,\n/);
    expect(printed).toContain("headers: { trace: 'abc' }");
    expect(printed).not.toMatch(/engine|storage|claimed/);
    expect(JSON.parse(json)).toMatchObject({ id: result.id, task: "printing", headers: { trace: "abc" } });
    expect(json).not.toMatch(/engine|storage|claimed/);
  });

  test("a job that failed with the error of another one, which was quarantined, has failed itself", async () => {
    const asks = task("asks", async () => {
      throw new TaskqError("TASKQ_QUARANTINED", "the other one was quarantined");
    });
    const queue = immediateQueue(make(), { asks });
    const result = await queue.enqueue(asks.job());
    expect(await result.state()).toBe("failed");
    await expect(result.wait()).rejects.toMatchObject({
      code: "TASKQ_FAILED",
      message: expect.stringContaining("failed after 1 run") as string,
      error: { code: "TASKQ_QUARANTINED" },
    });
  });

  test("a schema checks at enqueue, and the handler gets what it parsed", async () => {
    const greet = task(
      "greet",
      { input: z.object({ name: z.string(), at: z.coerce.date(), loud: z.boolean().default(true) }) },
      async (input) => input,
    );
    const queue = immediateQueue(make(), { greet });
    const result = await queue.enqueue(greet.job({ name: "Ada", at: "2026-01-01" }));
    expect(await result.wait()).toEqual({ name: "Ada", at: new Date("2026-01-01"), loud: true });
    await expect(queue.enqueue(greet.job({ name: 1 } as never))).rejects.toMatchObject({
      code: "TASKQ_INPUT",
      message: expect.stringMatching(/greet.*name.*at/s),
    });
  });

  test("an asynchronous schema and middleware work too", async () => {
    const slow = task(
      "slow",
      { input: z.string().refine(async (text) => text !== "no") },
      async (text) => text,
    );
    const queue = immediateQueue(make(), { slow });
    const seen: string[] = [];
    queue.use({
      async enqueue(job, next) {
        seen.push(`enqueue ${job.task}`);
        await next({ ...job, headers: { ...job.headers, trace: "1" } });
      },
      async run(context, next) {
        seen.push(`run ${context.headers["trace"]}`);
        return next();
      },
    });
    expect(await (await queue.enqueue(slow.job("yes"))).wait()).toBe("yes");
    await expect(queue.enqueue(slow.job("no"))).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    expect(seen.slice(0, 2)).toEqual(["enqueue slow", "run 1"]);
  });

  test("a schema and a middleware are waited for whose promises are of another make", async () => {
    const Foreign = runInNewContext("Promise") as PromiseConstructor;
    const input: StandardSchema<number, number> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          Foreign.resolve(
            typeof value === "number" ? { value: value * 2 } : { issues: [{ message: "is no number" }] },
          ),
      },
    };
    const double = task("double", { input }, async (number) => number);
    const queue = immediateQueue(make(), { double });
    queue.use({ enqueue: (job, next) => Foreign.resolve().then(() => next(job)) });
    expect(await (await queue.enqueue(double.job(2))).wait()).toBe(4);
    await expect(queue.enqueue(double.job("two" as never))).rejects.toMatchObject({
      code: "TASKQ_INPUT",
      message: expect.stringContaining("is no number") as string,
    });
  });

  test("a middleware that throws refuses the job, and one in the run fails it", async () => {
    const queue = immediateQueue(make(), { add });
    const refusing = queue.use({
      enqueue() {
        throw new Error("not today");
      },
    });
    await expect(queue.enqueue(add.job({ a: 1, b: 1 }))).rejects.toThrow("not today");
    refusing[Symbol.dispose]();
    using _failing = queue.use({
      run() {
        throw new Error("not here");
      },
    });
    await expect((await queue.enqueue(add.job({ a: 1, b: 1 }))).wait()).rejects.toThrow("not here");
  });

  test("waiting ends with its timeout, its signal, or the queue", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "1h" });
    await expect(result.wait({ timeout: 20 })).rejects.toThrow(ResultTimeoutError);
    await expect(result.wait({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    const signal = AbortSignal.timeout(10);
    const gaveUp = result.wait({ signal, timeout: "1h", revokeOnTimeout: true });
    await expect(gaveUp).rejects.toMatchObject({ name: "TimeoutError" });
    expect(await result.peek(), "it is revoked where it says so, and its own time is over").toBeUndefined();
    const waiting = result.wait().catch((error: unknown) => error);
    await queue.close();
    expect(await waiting).toMatchObject({ code: "TASKQ_CLOSED" });
  });

  test("waiting may revoke when its time is over", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "1h" });
    await expect(result.wait({ timeout: 20, revokeOnTimeout: true })).rejects.toThrow(ResultTimeoutError);
    expect(await result.peek()).toEqual({ state: "cancelled", reason: "revoked" });
  });

  test("progress and log lines are kept with the job", async () => {
    const work = task("work", async (_: void, { progress, log }) => {
      await progress({ percent: 10 });
      await progress({ percent: 60 });
      log.info({ part: 2 }, "half way");
      log.warn("slow");
    });
    const queue = immediateQueue(make(), { work });
    const result = await queue.enqueue(work.job());
    expect(await result.progress()).toEqual({ percent: 60 });
    await expect.poll(async () => (await result.logs()).length).toBe(2);
    expect(await result.logs()).toMatchObject([
      { level: "info", message: "half way", fields: { part: 2 }, attempt: 1 },
      { level: "warn", message: "slow" },
    ]);
  });

  test("what a handler cannot hand back fails the run, and says what", async () => {
    const odd = task("odd", async () => ({ callback: () => {} }));
    const queue = immediateQueue(make(), { odd });
    await expect((await queue.enqueue(odd.job())).wait()).rejects.toThrow(/callback.*function/s);
  });

  test("details of an error are kept by serializeError", async () => {
    const broken = task("broken", async ({ card: _card }: { card: string }) => {
      throw new Error("declined");
    });
    const queue = immediateQueue(
      make(),
      { broken },
      { serializeError: (error, { task: name, attempt }) => ({ name, attempt, text: String(error) }) },
    );
    const result = await queue.enqueue(broken.job({ card: "1" }));
    expect(await result.peek()).toMatchObject({
      error: { details: { name: "broken", attempt: 1, text: "Error: declined" } },
    });
  });

  test("what is kept is bounded", async () => {
    const queue = immediateQueue(make(), { add }, { keep: { completed: "10m" } });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }));
    await advance(queue, "11m");
    await (await queue.enqueue(add.job({ a: 1, b: 1 }))).wait();
    await expect.poll(async () => result.state()).toBeUndefined();
    await expect(result.wait()).rejects.toThrow(/no longer kept/);
  });

  test("results of a task that keeps none are told from undefined by their state", async () => {
    const quiet = task("quiet", { results: "none" }, async () => 42);
    const queue = immediateQueue(make(), { quiet });
    expect(await (await queue.enqueue(quiet.job())).peek()).toEqual({ state: "completed", value: undefined });
  });

  test("a queue that was refused for one of its options closes no storage, and keeps none open", async () => {
    const storage = make();
    for (const options of [{ serializer: {} }, { defaults: { retries: -1 } }, { redact: 5 }, { stacks: 1 }]) {
      const refused = { storage, tasks: { add }, ...options } as never;
      expect(() => createQueue(refused)).toThrow(expect.objectContaining({ code: "TASKQ_OPTION" }));
    }
    const queue = createQueue({ storage, tasks: { add } });
    await queue.enqueue(add.job({ a: 1, b: 1 }));
    await queue.close();
    const late = createQueue({ storage, tasks: { add } });
    await expect(late.enqueue(add.job({ a: 1, b: 1 }))).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
    await late.close();
  });

  test("queues of different names on one storage keep apart, and the last to close closes it", async () => {
    const storage = make();
    const one = createQueue({ storage, tasks: { add }, name: "one", immediate: true });
    const two = createQueue({ storage, tasks: { add }, name: "two", immediate: true });
    await one.enqueue(add.job({ a: 1, b: 1 }));
    expect((await two.counts()).completed).toBe(0);
    await one.close();
    await one.close();
    expect(await (await two.enqueue(add.job({ a: 1, b: 1 }))).wait()).toBe(2);
    await two.close();
    await expect(two.enqueue(add.job({ a: 1, b: 1 }))).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
  });

  test("a flush takes the queue's name, and removes all of it", async () => {
    const queue = immediateQueue(make(), { add });
    await queue.enqueue(add.job({ a: 1, b: 1 }));
    await queue.enqueue(add.job({ a: 1, b: 1 }), { delay: "1h" });
    await queue.values.set("k", 1);
    await expect(queue.flush({ confirm: "other" })).rejects.toMatchObject({ code: "TASKQ_CONFIRM" });
    await queue.flush({ confirm: "default" });
    expect(Object.values(await queue.counts()).every((count) => count === 0)).toBe(true);
    expect(await queue.values.get("k")).toBeUndefined();
  });

  test("jobs are listed by state and task, and explained", async () => {
    const queue = immediateQueue(make(), { add, nothing });
    const done = await queue.enqueue(add.job({ a: 1, b: 1 }));
    const later = await queue.enqueue(nothing.job(), { delay: "1h" });
    const list = async (filter: Parameters<typeof queue.jobs>[0]) => {
      const ids: string[] = [];
      for await (const { id } of queue.jobs(filter)) ids.push(id);
      return ids;
    };
    expect(await list({})).toEqual([done.id, later.id]);
    expect(await list({ state: "scheduled" })).toEqual([later.id]);
    expect(await list({ task: add })).toEqual([done.id]);
    expect(await list({ limit: 1 })).toEqual([done.id]);
    expect(await list({ after: done.id })).toEqual([later.id]);
    expect((await queue.why(later.id)).causes[0]).toMatchObject({
      code: "not-due",
      message: expect.stringMatching(/due at/),
    });
    expect((await queue.why("nonsense")).state).toBe("unknown");
  });
});
