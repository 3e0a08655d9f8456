/** Mistakes that the compiler does not see, as callers are told of them. */
import {
  asCompleted,
  compressed,
  createQueue,
  every,
  exponential,
  fixed,
  group,
  jsonSerializer,
  periodic,
  task,
  type Middleware,
  type Result,
  type TaskContext,
} from "@taskq/core";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);

describe.each(storages)("on $name", ({ make }) => {
  const later = { delay: "1h" } as const;

  test.each<[what: string, given: (result: Result) => unknown, options: unknown, message: string]>([
    [
      "a promise of a result",
      (result) => [result, Promise.resolve(result)],
      {},
      "asCompleted result 1: expected a result, as awaited of queue.enqueue(job), got a promise",
    ],
    ["nothing", () => [undefined], {}, "asCompleted result 0: expected a result, as awaited of"],
    ["a lone result", (result) => result, {}, "asCompleted: expected an iterable of results, got"],
    [
      "a signal that is none",
      (result) => [result],
      { signal: {} },
      "asCompleted signal: expected an AbortSignal, got {}",
    ],
  ])("asCompleted refuses %s", async (_, given, options, message) => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), later);
    const first = asCompleted(given(result) as Result[], options as object).next();
    await expect(first).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: expect.stringContaining(message) as string,
    });
  });

  test("asCompleted whose time is over names the jobs that were not final", async () => {
    const queue = immediateQueue(make(), { add });
    const done = await queue.enqueue(add.job({ a: 1, b: 1 }));
    const [one, two] = await queue.enqueueMany([add.job({ a: 1, b: 2 }), add.job({ a: 1, b: 3 })], later);
    const read = async () => {
      for await (const result of asCompleted([done, one!, two!], { timeout: 50 })) expect(result).toBe(done);
    };
    await expect(read()).rejects.toMatchObject({
      ids: [one!.id, two!.id],
      message: `2 jobs (${one!.id}, ${two!.id}) were not final after 50 ms of waiting`,
    });
  });

  test.each([0, 1])(
    "asCompleted with %i ms of time yields what is final, and names the others",
    async (timeout) => {
      const queue = immediateQueue(make(), { add });
      const waiting = await queue.enqueue(add.job({ a: 1, b: 0 }), later);
      const done = await queue.enqueueMany([1, 2, 3].map((b) => add.job({ a: 1, b })));
      const seen = new Set<Result>();
      const read = async () => {
        for await (const result of asCompleted([waiting, ...done], { timeout })) seen.add(result);
      };
      await expect(read()).rejects.toMatchObject({ ids: [waiting.id] });
      expect(seen).toEqual(new Set(done));
    },
  );

  test("wait refuses a signal that is none, and names the job where its time is over", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), later);
    await expect(result.wait({ signal: {} as AbortSignal })).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "wait signal: expected an AbortSignal, got {}",
    });
    await expect(result.wait({ timeout: 20, revokeOnTimeout: "no" as never })).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "wait revokeOnTimeout: expected true or false, got 'no'",
    });
    await expect(result.wait({ timeout: 20 })).rejects.toMatchObject({
      ids: [result.id],
      message: `the job ${result.id} was not final after 20 ms of waiting; queue.why(id) tells what it waits for`,
    });
  });

  test("a lock refuses to run what is no function, and stays free", async () => {
    const queue = immediateQueue(make(), { add });
    await expect(queue.lock("L").run(undefined as never)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "lock run: expected a function, got undefined",
    });
    expect(await queue.lock("L", { onBusy: "fail" }).run(() => "free")).toBe("free");
    const signal = {} as AbortSignal;
    expect(() => queue.lock("L", { signal })).toThrow("lock signal: expected an AbortSignal, got {}");
    expect(() => queue.lock("L", { max: 2 } as object)).toThrow("lock: ");
    expect(() => queue.semaphore("L", { max: 2, tll: "1s" } as { max: number })).toThrow("semaphore: ");
  });

  test("a limit refuses to run what is no function, and uses up no start", async () => {
    const queue = immediateQueue(make(), { add });
    const limit = queue.limit("calls", { max: 1, per: "1h", onLimit: "fail" });
    await expect(limit.run(undefined as never)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "limit run: expected a function, got undefined",
    });
    expect(await limit.run(() => "open")).toBe("open");
  });

  test("options that would not be found are refused, with what came", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }));
    const { signal } = new AbortController();
    await expect(result.wait(signal as object)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message:
        "wait: expected an object with 'timeout', 'signal', 'revokeOnTimeout', got an instance of AbortSignal",
    });
    const options = new Map([["delay", "1h"]]) as object;
    await expect(queue.enqueue(add.job({ a: 1, b: 1 }), options)).rejects.toThrow("got an instance of Map");
    await expect(result.wait({ signal: new AbortController() as never })).rejects.toThrow(
      "wait signal: expected an AbortSignal, got an instance of AbortController",
    );
  });

  test.each([new Map([["trace", "1"]]), new Headers({ trace: "1" })])(
    "headers that are kept otherwise than under their names are refused",
    async (headers) => {
      const queue = immediateQueue(make(), { add });
      const enqueued = queue.enqueue(add.job({ a: 1, b: 1 }), { headers: headers as never });
      await expect(enqueued).rejects.toMatchObject({
        code: "TASKQ_OPTION",
        message: "enqueue headers: expected an object of texts, got an object",
      });
    },
  );

  test("a task among the jobs of enqueueMany is told from a job with options", async () => {
    const queue = immediateQueue(make(), { add });
    await expect(queue.enqueueMany([add as never])).rejects.toThrow(
      "enqueueMany: expected a job, such as task.job(input), or an object with a job and its options, got",
    );
  });

  test("middleware may be an object of a class, with fields of its own", async () => {
    class Layers implements Middleware {
      readonly seen: string[] = [];
      run(context: TaskContext, next: () => Promise<unknown>) {
        this.seen.push(context.task);
        return next();
      }
    }
    const queue = immediateQueue(make(), { add });
    const layers = new Layers();
    queue.use(layers);
    expect(await (await queue.enqueue(add.job({ a: 1, b: 1 }))).wait()).toBe(2);
    expect(layers.seen).toEqual(["add"]);
  });

  test("middleware that is used twice is there once when one of the uses has ended, however often that is said", async () => {
    let runs = 0;
    const counting: Middleware = { run: (_context, next) => ((runs += 1), next()) };
    const queue = immediateQueue(make(), { add });
    const first = queue.use(counting);
    queue.use(counting);
    for (let times = 0; times < 2; times += 1) first[Symbol.dispose]();
    await queue.enqueue(add.job({ a: 1, b: 1 }));
    expect(runs).toBe(1);
  });

  test.each<[unknown, string]>([
    [{ runs: () => {} }, "middleware: unknown option 'runs'; known are 'run', 'enqueue'"],
    [new Map(), "middleware: expected an object with 'run' or 'enqueue', got an instance of Map"],
    [{ run: 5 }, "middleware run: expected a function, got 5"],
    [{ enqueue: "log" }, "middleware enqueue: expected a function, got 'log'"],
  ])("middleware is refused where it is given: %j", async (middleware, message) => {
    const queue = immediateQueue(make(), { add });
    expect(() => queue.use(middleware as Middleware)).toThrow(message);
    expect(await (await queue.enqueue(add.job({ a: 1, b: 1 }))).wait()).toBe(2);
  });

  test("a key that is made later is refused, be it a promise that rejects", async () => {
    const late = (async () => Promise.reject(new Error("nobody hears of this"))) as never;
    const locked = task("locked", { lock: late }, async () => {});
    const limited = task("limited", { limit: { key: late, max: 1, per: "1s" } }, async () => {});
    const unique = task("unique", { unique: { key: late, while: "waiting" } }, async () => {});
    const queue = immediateQueue(make(), { locked, limited, unique });
    for (const job of [locked.job(), limited.job(), unique.job()]) {
      await expect(queue.enqueue(job)).rejects.toThrow("of 1 to 255 characters, got a promise");
    }
  });

  test("a storage in the place of all options is told from an option", () => {
    const apart = createQueue as unknown as (storage: unknown, tasks: unknown) => unknown;
    expect(() => apart(make(), { add })).toThrow(
      "createQueue: expected { storage, tasks }, got a storage by itself",
    );
  });

  test("a promise of a storage is told from a storage", () => {
    const storage = Promise.resolve(make());
    expect(() => createQueue({ storage: storage as never, tasks: { add } })).toThrow(
      expect.objectContaining({
        code: "TASKQ_OPTION",
        message:
          "createQueue storage: expected a storage, not a promise of one: await it first, got a promise",
      }),
    );
    return storage.then((made) => createQueue({ storage: made, tasks: { add } }).close());
  });

  test.each([
    { tasks: Promise.resolve({ add }), came: "a promise" },
    { tasks: new Map([["add", add]]), came: "an instance of Map" },
    { tasks: add, came: '{"name":"add","options":{}}' },
  ])("a queue refuses tasks that it would not find: $came", ({ tasks, came }) => {
    expect(() => createQueue({ storage: make(), tasks })).toThrow(
      `createQueue tasks: expected an object of tasks, such as a module's exports, got ${came}`,
    );
  });

  test("a clock or a name that is null is refused", () => {
    const options = { storage: make(), tasks: { add } };
    const made = (given: object) => createQueue({ ...options, ...given });
    expect(() => made({ clock: null })).toThrow("createQueue clock: expected a clock with now()");
    expect(() => made({ name: null })).toThrow("createQueue name: expected a letter or digit, then at most");
  });

  test("null is no way to leave an option out", async () => {
    const queue = immediateQueue(make(), { add });
    const job = add.job({ a: 1, b: 1 });
    const refused = { code: "TASKQ_OPTION", message: expect.stringContaining("got null") as string };
    const none = null as never;
    for (const attempt of [
      () => task("t", { lock: { key: "k", onBusy: none } }, () => 1),
      () => task("t", { limit: { max: 1, per: "1s", onLimit: none } }, () => 1),
      () => periodic("p", every("1h"), { misfire: none }, () => 1),
      () => fixed("1s", { jitter: none }),
      () => exponential({ base: none }),
      () => group([job], { mode: none }),
      () => compressed(jsonSerializer(), { over: none }),
      () => createQueue({ storage: make(), tasks: { add }, name: none }),
      () => queue.lock("l", { ttl: none }),
      () => queue.limit("l", { max: 1, per: "1s", onLimit: none }),
    ]) {
      expect(attempt).toThrow(expect.objectContaining(refused));
    }
    await expect(queue.revoke(add, { once: none })).rejects.toMatchObject(refused);
    const entry = { schedule: every("1h"), job, overlap: none };
    await expect(queue.schedules.upsert("s", entry)).rejects.toMatchObject(refused);
  });

  test("a flush whose state turns out to be null removes nothing", async () => {
    const queue = immediateQueue(make(), { add });
    const { id } = await queue.enqueue(add.job({ a: 1, b: 1 }));
    const options = { confirm: "default", state: null as never };
    await expect(queue.flush(options)).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    await queue.flush({ confirm: "default", state: [] });
    expect(await queue.result(id).state()).toBe("completed");
  });

  test("a wait that is to revoke by what is no flag is refused, and revokes nothing", async () => {
    const queue = immediateQueue(make(), { add });
    const result = await queue.enqueue(add.job({ a: 1, b: 1 }), later);
    const options = { timeout: 10, revokeOnTimeout: "false" as never };
    await expect(result.wait(options)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "wait revokeOnTimeout: expected true or false, got 'false'",
    });
    expect(await result.state()).toBe("scheduled");
  });

  test("the options of a batch are checked, also of an empty one", async () => {
    const queue = immediateQueue(make(), { add });
    for (const options of [5, { delay: "soon" }, { timeuot: "1s" }]) {
      await expect(queue.enqueueMany([], options as object)).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    }
  });

  test("names with halves of characters, which a storage would take for one another, are refused", async () => {
    const queue = immediateQueue(make(), { add });
    const half = "\u{1F4A9}".slice(0, 1);
    const refused = {
      code: "TASKQ_OPTION",
      message: expect.stringContaining("a text of whole characters") as string,
    };
    await expect(queue.values.set(half, 1)).rejects.toMatchObject(refused);
    await expect(queue.schedules.remove(half)).rejects.toMatchObject(refused);
    expect(() => queue.lock(half)).toThrow(expect.objectContaining(refused));
    expect(() => queue.limit(half, { max: 1, per: "1s" })).toThrow(expect.objectContaining(refused));
  });

  test("a clock that is null is refused", () => {
    const options = { storage: make(), tasks: { add }, clock: null as never };
    expect(() => createQueue(options)).toThrow("createQueue clock: expected a clock with now()");
  });

  test("an id that is none is told of as the id of a result", () => {
    const queue = immediateQueue(make(), { add });
    expect(() => queue.result("")).toThrow("result id: expected a text that is not empty, got ''");
  });

  test("a signal of a limit that is none is refused", () => {
    const queue = immediateQueue(make(), { add });
    const options = { max: 1, per: "1s", signal: {} as AbortSignal } as const;
    expect(() => queue.limit("calls", options)).toThrow("limit signal: expected an AbortSignal, got {}");
  });

  test("a ready job that nobody asked for yet says that a consumer has to", async () => {
    await using queue = createQueue({ storage: make(), tasks: { add } });
    const [first, second] = await queue.enqueueMany([1, 2].map((b) => add.job({ a: 1, b })));
    const why = async (result: Result | undefined) =>
      (await queue.why(result!.id)).causes.map(({ message }) => message);
    expect(await why(first)).toEqual([
      "It is ready, and 0 jobs go before it: it runs as soon as a consumer asks for jobs.",
    ]);
    expect(await why(second)).toEqual([
      "It is ready, and 1 job goes before it: it runs as soon as a consumer asks for jobs.",
    ]);
    await queue.pause(add);
    expect(await why(second)).toEqual([
      "The task 'add' is paused.",
      "It is ready, and 1 job goes before it.",
    ]);
    await queue.resume(add);
    await queue.pause();
    expect((await why(second))[0]).toBe("The queue is paused.");
  });
});
