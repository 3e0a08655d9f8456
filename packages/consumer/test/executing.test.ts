import {
  asCompleted,
  createQueue,
  Fatal,
  group,
  jsonSerializer,
  task,
  TaskqError,
  type Clock,
  type Result,
  type Serializer,
  type StandardSchema,
  type Storage,
  type TaskContext,
} from "@taskq/core";
import { metByAll, systemClock, type StorageContract } from "@taskq/core/storage";
import { once } from "node:events";
import { setTimeout as abortableSleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { drain } from "../src/index.js";
import { closing, serve } from "./serving.js";
import { Gate, leastOf, only, recordEvents, sleep, storages, until } from "./support.js";

declare module "@taskq/core" {
  interface Resources {
    readonly connection: { readonly number: number };
  }
}

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("jobs are claimed, executed and settled, with their results and events", async () => {
    const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { add } }));
    const events = recordEvents(queue);
    await serve(queue);
    const results = await queue.enqueueMany([1, 2, 3].map((a) => add.job({ a, b: 10 })));
    expect(await Promise.all(results.map((result) => result.wait({ timeout: "5s" })))).toEqual([11, 12, 13]);
    await until(() => only(events, "completed").length === 3);
    expect(only(events, "started")).toHaveLength(3);
    expect(await queue.counts()).toMatchObject({ completed: 3, active: 0, ready: 0 });
  });

  test("no run took less than no time, though the clock was set back meanwhile", async () => {
    let ahead = 0;
    const clock: Clock = { ...systemClock, now: () => Date.now() + ahead };
    const back = task("back", async (fails: boolean) => {
      ahead -= 3_600_000;
      if (fails) throw new Error("none");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { back }, clock }));
    const events = recordEvents(queue);
    await serve(queue, { workers: 1 });
    await queue.enqueueMany([back.job(false), back.job(true)]);
    await until(() => only(events, "completed").length + only(events, "failed").length === 2);
    expect([...only(events, "completed"), ...only(events, "failed")]).toMatchObject([
      { durationMs: 0 },
      { durationMs: 0 },
    ]);
  });

  test("jobs that were there before the consumer are executed too, by priority", async () => {
    const order: number[] = [];
    const note = task("note", async (number: number) => void order.push(number));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { note } }));
    for (const priority of [0, 5, -5]) await queue.enqueue(note.job(priority), { priority });
    await serve(queue, { workers: 1 });
    await until(() => order.length === 3);
    expect(order).toEqual([5, 0, -5]);
  });

  test("a run that joins an id of another task fails as any other, and keeps nobody waiting", async () => {
    const heard: unknown[] = [];
    const report = task("report", async () => "report");
    const other = task("other", async () => "other");
    const early = task("early", async (_input: void, { enqueue }) => {
      await enqueue(report.job(), { id: "known", join: true }).catch((error: unknown) => {
        heard.push(error);
        throw error;
      });
    });
    const late = task("late", { retries: 1 }, async (_input: void, { enqueue, attempt }) => {
      await enqueue(report.job(), { id: `late ${attempt}`, join: true });
      if (attempt === 1) await queue.enqueue(other.job(), { id: "late 1" });
      return attempt;
    });
    const tasks = { report, other, early, late };
    const queue = closing(createQueue({ storage: await makeStorage(), tasks }));
    await queue.enqueue(other.job(), { id: "known" });
    const consumer = await serve(queue, { workers: 2 });
    const refused = await queue.enqueue(early.job());
    await expect(refused.wait({ timeout: "5s" })).rejects.toMatchObject({
      error: {
        code: "TASKQ_ID_TAKEN",
        message: expect.stringContaining('"known" belongs to a job of task "other"'),
      },
    });
    expect(heard).toHaveLength(1);
    const events = recordEvents(queue);
    const retried = await queue.enqueue(late.job());
    const others = await queue.enqueueMany([1, 2, 3].map(() => other.job()));
    expect(await Promise.all(others.map((result) => result.wait({ timeout: "5s" })))).toHaveLength(3);
    expect(await retried.wait({ timeout: "5s" })).toBe(2);
    expect(only(events, "retrying")[0]?.error).toMatchObject({
      code: "TASKQ_ID_TAKEN",
      message: expect.stringContaining("another task has 'late 1'"),
    });
    expect(await queue.result(report, "late 2").wait({ timeout: "5s" })).toBe("report");
    expect(consumer.health().connected).toBe(true);
  });

  test("a run that is over joins nothing more, whatever became of it", async () => {
    const child = task("child", async () => {});
    const contexts: TaskContext[] = [];
    const leak = async (_: void, context: TaskContext): Promise<void> => {
      contexts.push(context);
      await sleep(30);
    };
    const done = task("done", leak);
    const slow = task("slow", { timeout: 10 }, leak);
    const deaf = task("deaf", async (_: void, context) => {
      contexts.push(context);
      await new Promise(() => {});
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { child, done, slow, deaf } }));
    const consumer = await serve(queue);
    const results = await queue.enqueueMany([done.job(), slow.job()]);
    await Promise.allSettled(results.map((result) => result.wait({ timeout: "5s" })));
    await queue.enqueue(deaf.job());
    await until(() => contexts.length === 3);
    await consumer.stop({ grace: 0 });
    const refusal = { code: "TASKQ_LEASE_LOST" };
    for (const { enqueue, enqueueMany } of contexts) {
      await expect(enqueue(child.job(), { join: true })).rejects.toMatchObject(refusal);
      await expect(enqueue(child.job(), { join: true, id: "mine" })).rejects.toMatchObject(refusal);
      await expect(enqueueMany([child.job()], { join: true })).rejects.toMatchObject(refusal);
    }
  });

  test("a handle of what was joined leads to a job once the run has completed, unless its unique key is taken", async () => {
    const unique = { key: "one", while: "unfinished" } as const;
    const child = task("child", async (waits: boolean, { signal }) => {
      if (waits) await once(signal, "abort");
      return "child";
    });
    const handles: Result<string>[] = [];
    const [joined, ends] = [new Gate(), new Gate()];
    const parent = task("parent", async (_: void, { enqueue }) => {
      handles.push(await enqueue(child.job(false), { join: true }));
      handles.push(await enqueue(child.job(false), { join: true, unique }));
      joined.open();
      await ends.opened;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { child, parent } }));
    await serve(queue);
    const held = await queue.enqueue(child.job(true), { unique });
    const run = await queue.enqueue(parent.job());
    await joined.opened;
    const [free, taken] = handles;
    const nowhere = { code: "TASKQ_STORAGE", message: expect.stringContaining("there is no job") };
    for (const handle of handles) {
      await expect(handle.wait({ timeout: "5s" })).rejects.toMatchObject(nowhere);
      expect(await handle.state()).toBeUndefined();
    }
    ends.open();
    await run.wait({ timeout: "5s" });
    expect(await free?.wait({ timeout: "5s" })).toBe("child");
    await expect(taken?.wait({ timeout: "5s" })).rejects.toMatchObject(nowhere);
    expect(await taken?.state()).toBeUndefined();
    expect(await held.revoke()).toBe(true);
  });

  test("what a handler joins without waiting for it is part of its run", async () => {
    const child = task("child", async () => {});
    const parent = task("parent", (_: void, { enqueue }) => void enqueue(child.job(), { join: true }));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { child, parent } }));
    const events = recordEvents(queue);
    await serve(queue);
    await queue.enqueue(parent.job());
    await until(() => only(events, "completed").length === 2);
    expect(only(events, "completed").map((event) => event.task)).toEqual(["parent", "child"]);
  });

  test("a promise of a handler's with a then of its own ends its run as any other", async () => {
    const odd = task("odd", (isSilent: boolean) => {
      const answer = Promise.resolve(3);
      vi.spyOn(answer, "then").mockImplementation(() => {
        if (isSilent) return new Promise(() => {});
        throw new Error("its own");
      });
      return answer;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { odd } }));
    const consumer = await serve(queue);
    const results = await queue.enqueueMany([odd.job(false), odd.job(true)]);
    expect(await Promise.all(results.map((result) => result.wait({ timeout: "5s" })))).toEqual([3, 3]);
    expect(consumer.health()).toMatchObject({ state: "running", busy: 0 });
  });

  test("as many jobs run at a time as there are workers", async () => {
    let [running, most, ended] = [0, 0, 0];
    const work = task("work", async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(15);
      running -= 1;
      ended += 1;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 20 }, () => work.job()));
    const consumer = await serve(queue, { workers: 4 });
    await until(() => running === 4);
    expect(consumer.health()).toMatchObject({ state: "running", workers: 4, busy: 4, connected: true });
    await until(() => ended === 20);
    expect(most).toBe(4);
    await until(() => consumer.health().busy === 0);
  });

  test("thousands of jobs run exactly once each", async () => {
    const runs = new Map<number, number>();
    const count = task("count", async (number: number) => {
      runs.set(number, (runs.get(number) ?? 0) + 1);
      if (number % 7 === 0) await sleep(1);
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { count } }));
    await queue.enqueueMany(Array.from({ length: 5_000 }, (_value, number) => count.job(number)));
    await serve(queue, { workers: 8 });
    await until(async () => (await queue.counts()).completed === 5_000);
    expect(runs.size).toBe(5_000);
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
  });

  test("a job that becomes due is started at its instant, without a poll", async () => {
    let startedAt = 0;
    const note = task("note", async () => void (startedAt = Date.now()));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { note } }));
    await serve(queue);
    await sleep(50);
    const late = async (): Promise<number> => {
      startedAt = 0;
      const due = Date.now() + 150;
      await queue.enqueue(note.job(), { at: new Date(due) });
      await until(() => startedAt > 0);
      expect(startedAt).toBeGreaterThanOrEqual(due);
      return startedAt - due;
    };
    expect(await leastOf(100, late)).toBeLessThan(100);
  });

  test("an idle consumer starts a job as soon as it is enqueued", async () => {
    const note = task("note", async () => Date.now());
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { note } }));
    await serve(queue);
    const late = async (): Promise<number> => {
      await sleep(100);
      const before = Date.now();
      const result = await queue.enqueue(note.job());
      return (await result.wait()) - before;
    };
    expect(await leastOf(100, late)).toBeLessThan(100);
  });

  test("a failed attempt is retried after its pause, and fails for good once retries are used up", async () => {
    const flaky = task("flaky", { retries: 2, backoff: 20 }, async () => {
      throw new Error("no luck");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { flaky } }));
    const events = recordEvents(queue);
    await serve(queue);
    const result = await queue.enqueue(flaky.job());
    await expect(result.wait({ timeout: "5s" })).rejects.toMatchObject({ code: "TASKQ_FAILED", attempts: 3 });
    await until(() => only(events, "failed").length === 1);
    expect(only(events, "retrying")).toHaveLength(2);
  });

  test("one consumer serves several queues with the same workers, and none starves", async () => {
    const storage = await makeStorage();
    const done: string[] = [];
    const work = task("work", async (name: string) => {
      await sleep(1);
      done.push(name);
    });
    const queues = ["left", "right"].map((name) => closing(createQueue({ storage, name, tasks: { work } })));
    for (const queue of queues) {
      await queue.enqueueMany(Array.from({ length: 100 }, () => work.job(queue.name)));
    }
    await serve(queues, { workers: 1, prefetch: 200 });
    await until(() => done.length === 200);
    const halfway = done.slice(0, 100).filter((name) => name === "left").length;
    expect(halfway).toBeGreaterThan(20);
    expect(halfway).toBeLessThan(80);
  });

  test("a stage whose input the storage cannot read just now is put off, and not put aside", async () => {
    const storage = (await makeStorage()) as Storage & StorageContract;
    const read = storage.read.bind(storage);
    let refusals = 0;
    storage.read = async (request) => {
      if (refusals === 3) return read(request);
      refusals += 1;
      throw metByAll(new TaskqError("TASKQ_STORAGE", "the disk fails"));
    };
    // More than a claim carries.
    const large = task("large", async () => "x".repeat(100_000));
    const size = task("size", async (text: string) => text.length);
    const queue = closing(createQueue({ storage, tasks: { large, size } }));
    const result = await queue.enqueue(large.job().pipe(size));
    await drain(queue, { until: new Date(Date.now() + 60_000) });
    expect(refusals).toBe(3);
    expect(await result.peek()).toEqual({ state: "completed", value: 100_000 });
    expect(await queue.job(result.id)).toMatchObject({ attempt: 1, crashes: 0 });
  });

  test("a handler that waits for a job of its own consumer is refused", async () => {
    const inner = task("inner", async () => 1);
    const outer = task("outer", async (_: void, { enqueue }) => {
      const result = await enqueue(inner.job());
      return result.wait();
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { inner, outer } }));
    await serve(queue, { workers: 1 });
    const result = await queue.enqueue(outer.job());
    await expect(result.wait({ timeout: "5s" })).rejects.toMatchObject({
      error: { code: "TASKQ_WAIT_IN_HANDLER" },
    });
  });

  test("what a handler has left behind waits as anybody does, once the handler has ended", async () => {
    const inner = task("inner", async (number: number) => number);
    const left = new Gate();
    const outer = task("outer", async (_: void, { enqueue }) => {
      const result = await enqueue(inner.job(7));
      later = left.opened.then(() => result.wait({ timeout: "5s" }));
    });
    let later: Promise<number> | undefined;
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { inner, outer } }));
    await queue.pause(inner);
    await serve(queue, { workers: 1 });
    await (await queue.enqueue(outer.job())).wait({ timeout: "5s" });
    left.open();
    await sleep(20);
    await queue.resume(inner);
    expect(await later).toBe(7);
  });

  test("an output of which a serializer makes no bytes fails its run, and keeps no other waiting", async () => {
    const json = jsonSerializer();
    const serializer: Serializer = {
      id: "odd",
      encode: (value, context) =>
        value === "odd" ? (Promise.resolve("bytes") as never) : json.encode(value, context),
      decode: (bytes, context) => json.decode(bytes, context),
    };
    const echo = task("echo", async ({ of }: { of: string }) => of);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { echo }, serializer }));
    await serve(queue);
    const [odd, even] = await queue.enqueueMany(["odd", "even"].map((of) => echo.job({ of })));
    await expect(odd!.wait({ timeout: "5s" })).rejects.toMatchObject({
      code: "TASKQ_FAILED",
      error: {
        code: "TASKQ_INPUT",
        message: expect.stringContaining(
          "expected a Uint8Array from encode() of the serializer 'odd', got a promise",
        ) as string,
      },
    });
    expect(await even!.wait({ timeout: "5s" })).toBe("even");
  });

  test("a serializer that answers a promise, be it one that rejects, is told so", async () => {
    const json = jsonSerializer();
    const serializer: Serializer = {
      id: "late",
      encode: (value, context) => json.encode(value, context),
      decode: async (bytes, context) => {
        json.decode(bytes, context);
        throw new Error("nobody hears of this");
      },
    };
    const echo = task("echo", async (of: string) => of);
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { echo }, serializer }));
    const told = "from decode() of the serializer 'late', got a promise";
    await queue.values.set("key", 1);
    await expect(queue.values.get("key")).rejects.toThrow(told);
    await serve(queue);
    const result = await queue.enqueue(echo.job("it"));
    await until(async () => (await queue.counts()).quarantined === 1);
    await expect(result.peek()).rejects.toThrow(told);
  });

  test("a handler does not begin once its run was revoked, however long what comes before it takes", async () => {
    const [asked, goOn] = [new Gate(), new Gate()];
    let runs = 0;
    let isSlow = false;
    const validate = async (value: unknown) => {
      if (isSlow) {
        asked.open();
        await goOn.opened;
      }
      return { value: value as number };
    };
    const input: StandardSchema<number> = { "~standard": { version: 1, vendor: "test", validate } };
    const work = task("work", { input }, async () => void (runs += 1));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const result = await queue.enqueue(work.job(1));
    isSlow = true;
    await serve(queue);
    await asked.opened;
    expect(await result.revoke()).toBe(true);
    await sleep(150);
    goOn.open();
    await expect(result.wait({ timeout: "5s" })).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
    expect(runs).toBe(0);
  });

  test("a stage does not begin once it was revoked while what came before it was read", async () => {
    const storage = (await makeStorage()) as Storage & StorageContract;
    const [asked, goOn] = [new Gate(), new Gate()];
    let isSlow = false;
    const read = storage.read.bind(storage);
    storage.read = async (request) => {
      if (isSlow) {
        asked.open();
        await goOn.opened;
      }
      return read(request);
    };
    let runs = 0;
    // Together too large to be handed out with the claim.
    const page = task("page", async () => "x".repeat(40_000));
    const bind = task("bind", async (_pages: readonly string[]) => void (runs += 1));
    const queue = closing(createQueue({ storage, tasks: { page, bind } }));
    const result = await queue.enqueue(group([page.job(), page.job(), page.job()]).pipe(bind));
    isSlow = true;
    await serve(queue);
    await asked.opened;
    expect(await result.revoke()).toBe(true);
    await sleep(150);
    isSlow = false;
    goOn.open();
    await expect(result.wait({ timeout: "5s" })).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
    expect(runs).toBe(0);
  });

  test("a pipeline, a group and its callback run one after the other", async () => {
    const double = task("double", async (number: number) => number * 2);
    const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { double, sum } }));
    await serve(queue);
    const members = [1, 2, 3].map((number) => double.job(number).pipe(double));
    const result = await queue.enqueue(group(members).pipe(sum));
    expect(await result.wait({ timeout: "5s" })).toBe(24);
  });

  test("middleware is around every run, and resources are made for it and disposed of after it", async () => {
    const steps: string[] = [];
    const use = task("use", async (_: void, { resources }) => {
      steps.push("handler");
      return resources.connection.number;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { use } }));
    queue.use({
      async run(_context, next) {
        steps.push("before");
        const output = await next();
        steps.push("after");
        return output;
      },
    });
    await serve(queue, {
      resources: {
        connection: () => ({ number: 7, [Symbol.dispose]: () => void steps.push("disposed") }),
      },
    });
    const result = await queue.enqueue(use.job());
    expect(await result.wait({ timeout: "5s" })).toBe(7);
    expect(steps).toEqual(["before", "handler", "after", "disposed"]);
  });

  test("a middleware that calls next twice, or once the run has ended, is told so; the handler runs once", async () => {
    const [runs, nexts] = [[] as number[], [] as (() => Promise<unknown>)[]];
    const use = task("use", async (number: number) => void runs.push(number));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { use } }));
    queue.use({
      async run({ headers }, next) {
        nexts.push(next);
        if (headers["times"] === "none") return;
        await next();
        await next();
      },
    });
    await serve(queue);
    const twice = await queue.enqueue(use.job(2), { headers: { times: "two" } });
    await expect(twice.wait({ timeout: "5s" })).rejects.toThrow(/a middleware called next\(\) twice/);
    await (await queue.enqueue(use.job(0), { headers: { times: "none" } })).wait({ timeout: "5s" });
    await expect(nexts[1]?.()).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    expect(runs).toEqual([2]);
  });

  test("a handler that blocks past its timeout has timed out, as any other", async () => {
    const block = task("block", { timeout: 20 }, () => {
      const end = performance.now() + 40;
      while (performance.now() < end);
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { block } }));
    const events = recordEvents(queue);
    await serve(queue);
    const result = await queue.enqueue(block.job());
    await expect(result.wait({ timeout: "5s" })).rejects.toMatchObject({ code: "TASKQ_FAILED" });
    expect(events.map(({ type }) => type)).toContain("timeout");
  });

  test.each(["answers", "throws"])(
    "a handler that blocks past its timeout, having waited before, and then %s has timed out, as any other",
    async (how) => {
      const block = task("block", { timeout: 50, retries: 1 }, async (_: void, { attempt, signal }) => {
        if (attempt === 2) return signal.aborted;
        await sleep(5);
        const end = performance.now() + 60;
        while (performance.now() < end);
        if (how === "throws") throw new Fatal("too late to tell");
        return true;
      });
      const queue = closing(createQueue({ storage: await makeStorage(), tasks: { block } }));
      const events = recordEvents(queue);
      await serve(queue);
      const result = await queue.enqueue(block.job());
      expect(await result.wait({ timeout: "5s" })).toBe(false);
      expect(only(events, "timeout")).toMatchObject([{ attempt: 1, timeoutMs: 50 }]);
      expect(only(events, "retrying")).toMatchObject([{ error: { code: "TASKQ_TIMEOUT" } }]);
    },
  );

  test("revoking a running job aborts its signal at once", async () => {
    let [begun, abortedAt] = [new Gate(), 0];
    const long = task("long", async (_: void, { signal }) => {
      begun.open();
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          abortedAt = performance.now();
          reject(signal.reason as Error);
        });
      });
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { long } }));
    const events = recordEvents(queue);
    await serve(queue, { workers: 1 });
    let revoked = 0;
    const late = async (): Promise<number> => {
      begun = new Gate();
      const result = await queue.enqueue(long.job());
      await begun.opened;
      const revokedAt = performance.now();
      await result.revoke();
      await expect(result.wait()).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
      revoked += 1;
      return abortedAt - revokedAt;
    };
    expect(await leastOf(150, late)).toBeLessThan(150);
    await until(() => only(events, "revoked").length === revoked);
  });

  test("a handler that was revoked and returns all the same joins nothing to its flow", async () => {
    const begun = new Gate();
    const ran: string[] = [];
    const [child, last] = [task("child", async () => void ran.push("child")), task("last", async () => {})];
    const fanOut = task("fan-out", async (_: void, { enqueue, signal }) => {
      await enqueue(child.job(), { join: true });
      begun.open();
      await once(signal, "abort");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { child, last, fanOut } }));
    const consumer = await serve(queue, { workers: 1 });
    const result = await queue.enqueue(fanOut.job().pipe(last));
    await begun.opened;
    expect(await result.revoke()).toBe(true);
    const [first] = result.stages;
    await expect(first?.wait({ timeout: "5s" })).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
    await consumer.stop();
    expect(await queue.counts()).toMatchObject({ cancelled: 2, completed: 0, ready: 0 });
    expect(ran).toEqual([]);
  });

  test("a lock is held by one job at a time", async () => {
    let [running, most, ended] = [0, 0, 0];
    const sync = task("sync", { lock: "daily" }, async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(10);
      running -= 1;
      ended += 1;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { sync } }));
    await serve(queue);
    await queue.enqueueMany([sync.job(), sync.job(), sync.job()]);
    await until(() => ended === 3);
    expect(most).toBe(1);
  });

  test("a paused queue starts nothing, and goes on once it is resumed", async () => {
    let runs = 0;
    const work = task("work", async () => void (runs += 1));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await serve(queue);
    await queue.pause();
    await queue.enqueue(work.job());
    await sleep(60);
    expect(runs).toBe(0);
    await queue.resume();
    await until(() => runs === 1, 500);
  });

  test("however many wait with one signal, Node warns of no leak", async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warned);
    const gate = new Gate();
    const work = task("work", async (_input: void, { signal }) => {
      await Promise.all(Array.from({ length: 20 }, () => abortableSleep(1, undefined, { signal })));
      await gate.opened;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const consumer = await serve(queue, { workers: 20 });
    const results = await queue.enqueueMany(Array.from({ length: 20 }, () => work.job()));
    const { signal } = new AbortController();
    const completed = drained(asCompleted(results));
    const waits = results.map((result) => result.wait({ signal }));
    const locks = results.map(() => queue.lock("one", { signal }).run(() => {}));
    const feeds = results.map(() => queue.events({ signal })[Symbol.asyncIterator]().next());
    await until(() => consumer.health().busy === 20);
    await sleep(10);
    gate.open();
    await Promise.all([completed, ...waits, ...locks, ...feeds]);
    process.off("warning", warned);
    expect(warnings).toEqual([]);
  });

  test("a signal ends whatever waits with it, and only that", async () => {
    const work = task("work", async () => "done");
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const result = await queue.enqueue(work.job());
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error("enough");
    const other = result.wait({ signal: new AbortController().signal });
    const ended = [
      result.wait({ signal }),
      result.wait({ signal, timeout: "5s" }),
      drained(asCompleted([result], { signal, timeout: "5s" })),
    ].map((waits) => expect(waits).rejects.toBe(reason));
    const early = result.wait({ signal, timeout: 1 });
    await expect(early).rejects.toMatchObject({ code: "TASKQ_WAIT_TIMEOUT" });
    controller.abort(reason);
    await Promise.all([...ended, expect(result.wait({ signal, timeout: "5s" })).rejects.toBe(reason)]);
    await serve(queue);
    expect(await other).toBe("done");
  });
});

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}
