import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { every, exponential, periodic, task, type TaskContext, type TaskOptions } from "../src/index.js";
import { compositionOf } from "../src/composition.js";
import { definitionOf, isTask } from "../src/definition.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);

/** As JavaScript calls it, without the compiler's refusals. */
const define = task as unknown as (...given: unknown[]) => unknown;
const definePeriodic = periodic as unknown as (...given: unknown[]) => unknown;
const optionError = (message: string) => expect.objectContaining({ code: "TASKQ_OPTION", message });

describe("a task is a value", () => {
  test("it has its name and its options, and cannot be changed", () => {
    const options = { retries: 2, timeout: "30s" } as const;
    const charge = task("charge", options, async (id: string) => id);
    expect(charge.name).toBe("charge");
    expect(charge.options).toEqual(options);
    expect(Object.isFrozen(charge)).toBe(true);
    expect(Object.isFrozen(charge.options)).toBe(true);
    expect(Object.isFrozen(options)).toBe(false);
  });

  test("its definition does not show", () => {
    expect(Object.keys(add)).toEqual(["name", "options", "job", "run"]);
  });

  test("changing the options afterwards changes nothing", () => {
    const options: { retries: number; lock: { key: string } } = { retries: 2, lock: { key: "one" } };
    const locked = task("locked", options, () => {});
    options.retries = 9;
    options.lock.key = "two";
    expect(definitionOf(locked).options).toMatchObject({ retries: 2, lock: { key: "one" } });
    expect(locked.options.retries).toBe(2);
  });

  test("one of the same name may be made again, for nothing is registered", () => {
    expect(task("add", () => 1)).not.toBe(add);
  });

  test("isTask knows tasks and periodic tasks, and nothing that looks like them", () => {
    expect(isTask(add)).toBe(true);
    expect(isTask(periodic("tick", every("1s"), () => {}))).toBe(true);
    for (const other of [{ ...add }, Object.keys, "add", 5, null, undefined, add.job({ a: 1, b: 2 }), []]) {
      expect(isTask(other)).toBe(false);
    }
    expect(() => definitionOf({ ...add }, "pipe")).toThrow(/^pipe: expected a task/);
  });
});

const key = ({ tenant }: { tenant: string }): string => tenant;
const retryWhen = (): boolean => true;

describe("the definition of a task", () => {
  test("holds the options in milliseconds, each policy whole", () => {
    const schema = z.object({ tenant: z.string() });
    const backoff = exponential();
    const full = task(
      "full",
      {
        input: schema,
        retries: 3,
        backoff,
        retryWhen,
        timeout: "90s",
        priority: -1,
        expires: "1d",
        unique: { key, while: "10s", onConflict: "replace" },
        lock: key,
        limit: { max: 10, per: "1s", onLimit: "drop" },
        concurrency: { key: "all", max: 2 },
        delivery: "at-most-once",
        isolate: "thread",
        keep: { completed: { for: "5m", max: 1_000 }, failed: "30d" },
        results: "none",
        version: 2,
      },
      () => {},
    );
    const { kind, name, schema: kept, options } = definitionOf(full);
    expect({ kind, name, kept }).toEqual({ kind: "task", name: "full", kept: schema });
    expect(options).toEqual({
      retries: 3,
      backoff,
      retryWhen,
      timeoutMs: 90_000,
      priority: -1,
      expiresMs: 86_400_000,
      unique: { key, while: 10_000, onConflict: "replace" },
      lock: { key, onBusy: "wait" },
      limit: { key: undefined, max: 10, perMs: 1_000, onLimit: "drop" },
      concurrency: { key: "all", max: 2 },
      delivery: "at-most-once",
      isolate: "thread",
      keep: { completed: { forMs: 300_000, max: 1_000 }, failed: { forMs: 2_592_000_000, max: undefined } },
      results: "none",
      version: 2,
    });
    expect(Object.isFrozen(options)).toBe(true);
  });

  test("says undefined for what was not said, so that the queue's defaults are asked", () => {
    const { options } = definitionOf(add);
    expect(Object.values(options)).toEqual(Array.from(Object.keys(options), () => undefined));
    expect(Object.keys(options)).toHaveLength(15);
  });

  test("fills in the defaults within a policy", () => {
    const policies: TaskOptions = { unique: {}, lock: { key: "x" }, limit: { max: 1, per: 1 } };
    const { options } = definitionOf(task("policies", policies, () => {}));
    expect(options.unique).toEqual({ key: undefined, while: "unfinished", onConflict: "ignore" });
    expect(options.lock).toEqual({ key: "x", onBusy: "wait" });
    expect(options.limit).toEqual({ key: undefined, max: 1, perMs: 1, onLimit: "wait" });
  });

  test("makes a backoff of a duration", () => {
    const { options } = definitionOf(task("patient", { backoff: "10s" }, () => {}));
    expect(options.backoff?.({ attempt: 7, error: undefined })).toBe(10_000);
  });
});

describe("what is no task is refused when it is defined", () => {
  const tooLong = "x".repeat(129);
  test.each(["", " ", "-add", "a b", "a\n", "é", ".hidden", tooLong, 5, undefined, null])(
    "the name %j",
    (name) => {
      expect(() => define(name, () => {})).toThrow(
        expect.objectContaining({
          code: "TASKQ_OPTION",
          message: expect.stringMatching(/^the name of a task: expected 1 to 128 letters, .*, got /),
        }),
      );
    },
  );

  test.each(["a", "0", "mail:send/v2.1_final-3", "x".repeat(128)])("but not the name %j", (name) => {
    expect(task(name, () => {}).name).toBe(name);
  });

  test.each<readonly [given: readonly unknown[], message: string]>([
    [["x"], "task 'x' handler: expected a function, got undefined"],
    [["x", { retries: 1 }], `task 'x' handler: expected a function, got {"retries":1}`],
    [["x", {}, "handler"], "task 'x' handler: expected a function, got 'handler'"],
  ])("the handler in %j", (given, message) => {
    expect(() => define(...given)).toThrow(optionError(message));
  });

  test("an option of an unknown name, with the known ones named", () => {
    const known = ["input", ...Object.keys(allOptions)].map((name) => `'${name}'`).join(", ");
    expect(() => define("x", { retry: 3 }, () => {})).toThrow(
      optionError(`task 'x': unknown option 'retry'; known are ${known}`),
    );
  });

  test.each([["none"], [null], [5], [[]], [undefined]])("the options %j", (options) => {
    expect(() => define("x", options, () => {})).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^task 'x': expected an object with 'input'/),
      }),
    );
  });

  test("a handler before the options, which is told the order", () => {
    expect(() => define("x", () => {}, { retries: 2 })).toThrow(
      optionError(
        "task 'x': expected the options before the handler: task(name, options, handler), got a function",
      ),
    );
    const late = periodic as unknown as (...given: unknown[]) => unknown;
    expect(() => late("x", every("1h"), () => {}, { overlap: "skip" })).toThrow(
      optionError(
        "periodic task 'x': expected the options before the handler: periodic(name, schedule, options, handler), got a function",
      ),
    );
    expect(() => late("x", () => {}, { overlap: "skip" })).toThrow(
      optionError(
        "periodic task 'x' schedule: expected a schedule, made by cron() or every(), got a function",
      ),
    );
  });

  const duration = "a duration such as 250, '30s' or '1.5h'";
  const int32 = "an integer from -2147483648 to 2147483647";
  const keyText = "a text or a function of the input";
  test.each<readonly [options: Record<string, unknown>, message: string]>([
    [{ retries: -1 }, "retries: expected an integer of at least 0, got -1"],
    [{ retries: 1.5 }, "retries: expected an integer of at least 0, got 1.5"],
    [{ retries: "3" }, "retries: expected an integer of at least 0, got '3'"],
    [{ backoff: "soon" }, `backoff: expected ${duration}, got 'soon'`],
    [{ retryWhen: true }, "retryWhen: expected a function, got true"],
    [{ timeout: "10 minutes" }, `timeout: expected ${duration}, got '10 minutes'`],
    [{ timeout: 0 }, "timeout: expected a duration of at least 1 ms, got 0"],
    [{ priority: "high" }, `priority: expected ${int32}, got 'high'`],
    [{ priority: 2 ** 31 }, `priority: expected ${int32}, got 2147483648`],
    [{ expires: new Date(0) }, `expires: expected ${duration}, got 1970-01-01T00:00:00.000Z`],
    [{ unique: true }, "unique: expected an object with 'key', 'while', 'onConflict', got true"],
    [{ unique: { until: "1s" } }, "unique: unknown option 'until'; known are 'key', 'while', 'onConflict'"],
    [
      { unique: { while: "queued" } },
      "unique while: expected 'waiting', 'unfinished' or a duration such as '10s', got 'queued'",
    ],
    [{ unique: { onConflict: "fail" } }, "unique onConflict: expected 'ignore' or 'replace', got 'fail'"],
    [{ unique: { key: 5 } }, `unique key: expected ${keyText}, got 5`],
    [{ lock: "" }, "lock: expected a text of 1 to 255 characters, got ''"],
    [
      { lock: "k".repeat(256) },
      `lock: expected a text of 1 to 255 characters, got '${"k".repeat(77)}...', 256 characters`,
    ],
    [{ unique: { key: "k\ud800" } }, "unique key: expected a text of whole characters, got 'k\\ud800'"],
    [{ lock: 5 }, "lock: expected an object with 'key', 'onBusy', got 5"],
    [{ lock: {} }, `lock key: expected ${keyText}, got undefined`],
    [{ lock: { key: "x", onBusy: "drop" } }, "lock onBusy: expected 'wait' or 'skip' or 'fail', got 'drop'"],
    [{ limit: { per: "1s" } }, "limit max: expected an integer from 1 to 10000, got undefined"],
    [{ limit: { max: 0, per: "1s" } }, "limit max: expected an integer from 1 to 10000, got 0"],
    [{ limit: { max: 10_001, per: "1s" } }, "limit max: expected an integer from 1 to 10000, got 10001"],
    [{ limit: { max: 1 } }, `limit per: expected ${duration}, got undefined`],
    [{ limit: { max: 1, per: 0 } }, "limit per: expected a duration of at least 1 ms, got 0"],
    [
      { limit: { max: 1, per: 1, onLimit: "skip" } },
      "limit onLimit: expected 'wait' or 'drop' or 'fail', got 'skip'",
    ],
    [{ concurrency: 5 }, "concurrency: expected an object with 'key', 'max', got 5"],
    [{ concurrency: { max: 0 } }, "concurrency max: expected an integer of at least 1, got 0"],
    [
      { delivery: "exactly-once" },
      "delivery: expected 'at-least-once' or 'at-most-once', got 'exactly-once'",
    ],
    [{ isolate: true }, "isolate: expected 'none' or 'thread' or 'process', got true"],
    [{ keep: "1h" }, "keep: expected an object with 'completed', 'failed', got '1h'"],
    [{ keep: { completed: "1 hour" } }, `keep completed: expected ${duration}, got '1 hour'`],
    [
      { keep: { failed: { for: "7d", max: -1 } } },
      "keep failed max: expected an integer of at least 0, got -1",
    ],
    [{ keep: { failed: { ttl: 1 } } }, "keep failed: unknown option 'ttl'; known are 'for', 'max'"],
    [{ results: false }, "results: expected 'keep' or 'none', got false"],
    [{ version: 0 }, "version: expected an integer of at least 1, got 0"],
    [
      { input: { parse() {} } },
      "input: expected a Standard Schema of version 1, such as one of zod, Valibot or ArkType, got {}",
    ],
  ])("the options %j", (options, message) => {
    expect(() => define("x", options, () => {})).toThrow(optionError(`task 'x' ${message}`));
  });
});

describe("task.job describes a run", () => {
  test("with the input as it was given, unparsed", () => {
    const email = task("email", { input: z.object({ to: z.string().trim() }) }, () => {});
    const input = { to: " ada " };
    const composition = compositionOf(email.job(input));
    expect(composition).toEqual({ kind: "run", task: definitionOf(email), input });
    expect(composition).toHaveProperty("input", input);
  });

  test("and may be taken out of the task", () => {
    const { job } = add;
    expect(job({ a: 1, b: 2 }).tasks).toEqual(["add"]);
  });
});

describe("task.run calls the bare handler", () => {
  test("and answers its output, also where it is synchronous", async () => {
    expect(await add.run({ a: 2, b: 3 })).toBe(5);
    expect(await task("double", (n: number) => n * 2).run(4)).toBe(8);
    await expect(add.run({ a: 2, b: 3 }, null as never)).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "run of task 'add': expected parts of a context as its second argument, got null",
    });
    const running = task("broken", () => {
      throw new RangeError("no");
    }).run();
    await expect(running).rejects.toThrow(RangeError);
  });

  test("with what the schema parsed", async () => {
    const email = task(
      "email",
      { input: z.object({ to: z.string(), subject: z.string().default("Hello") }) },
      ({ to, subject }) => `${subject} ${to}`,
    );
    expect(await email.run({ to: "Ada" })).toBe("Hello Ada");
  });

  test("but not with an input that the schema refuses", async () => {
    const handler = vi.fn<(input: { to: string[] }) => void>();
    const email = task("email", { input: z.object({ to: z.array(z.string()) }) }, handler);
    await expect(email.run({ to: ["a", 5 as never] })).rejects.toMatchObject({
      code: "TASKQ_INPUT",
      message: expect.stringMatching(/^the input of task 'email' is refused by its schema: to\.1: /),
    });
    expect(handler).not.toHaveBeenCalled();
  });

  const look = task("look", (_: void, context) => context);

  test("with a context of a first run that nothing will abort", async () => {
    const before = Date.now();
    const context = await look.run();
    expect(context).toMatchObject({
      id: "test",
      task: "look",
      attempt: 1,
      fence: 1,
      deadline: undefined,
      headers: {},
      resources: {},
    });
    expect(context.signal.aborted).toBe(false);
    expect(context.remaining()).toBe(Infinity);
    expect(context.enqueuedAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(context.scheduledAt).toEqual(context.enqueuedAt);
    context.log.info("not heard");
    context.log.error({ error: 1 }, "not heard");
    await context.progress({ percent: 10 });
  });

  test("with a context whose parts may be replaced", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    const progress = vi.fn<TaskContext["progress"]>();
    const context = await look.run(undefined, { attempt: 3, signal, progress });
    expect(context).toMatchObject({ attempt: 3, fence: 1, signal, progress });
  });

  test("with the context of another run, wherever that keeps its members", async () => {
    const own = await look.run(undefined, { attempt: 2 });
    const inherited = Object.create(own) as TaskContext;
    expect(await look.run(undefined, inherited)).toEqual(own);
  });

  test("with the time that is left until a given deadline", async () => {
    const hour = await look.run(undefined, { deadline: new Date(Date.now() + 3_600_000) });
    expect(hour.remaining()).toBeGreaterThan(3_590_000);
    expect(hour.remaining()).toBeLessThanOrEqual(3_600_000);
    expect((await look.run(undefined, { deadline: new Date(0) })).remaining()).toBe(0);
  });

  const uses: Readonly<Record<string, (context: TaskContext) => unknown>> = {
    enqueue: ({ enqueue }) => enqueue(add.job({ a: 1, b: 2 })),
    enqueueMany: ({ enqueueMany }) => enqueueMany([add.job({ a: 1, b: 2 })]),
    lock: ({ lock }) => lock("x"),
    limit: ({ limit }) => limit("x", { max: 1, per: "1s" }),
    "values.set": ({ values }) => values.set("x", 1),
    "values.get": ({ values }) => values.get("x"),
    "values.take": ({ values }) => values.take("x"),
    "values.setIfAbsent": ({ values }) => values.setIfAbsent("x", 1),
    "values.delete": ({ values }) => values.delete("x"),
    "values.compareAndDelete": ({ values }) => values.compareAndDelete("x", 1),
    "values.increment": ({ values }) => values.increment("x"),
  };
  test.each(Object.entries(uses))("and without a queue: context.%s says so", async (member, use) => {
    const running = task("uses", async (_: void, context) => await use(context)).run();
    await expect(running).rejects.toMatchObject({
      code: "TASKQ_NO_QUEUE",
      message: expect.stringContaining(`context.${member} needs a queue`),
    });
  });
});

describe("a periodic task", () => {
  const hourly = every("1h");

  test("has a schedule, and a job without an input", () => {
    const tick = periodic("tick", hourly, { overlap: "queue" }, () => "not kept");
    expect(tick).toMatchObject({ name: "tick", schedule: hourly, options: { overlap: "queue" } });
    expect(Object.isFrozen(tick)).toBe(true);
    expect(compositionOf(tick.job())).toEqual({ kind: "run", task: definitionOf(tick), input: undefined });
  });

  test("fires once for missed instants, and skips those at which it still runs, unless it says otherwise", () => {
    expect(definitionOf(periodic("tick", hourly, () => {}))).toMatchObject({
      kind: "periodic",
      schedule: hourly,
      overlap: "skip",
      misfire: "once",
    });
    const options = { overlap: "allow", misfire: { all: 3 }, timeout: "5m" } as const;
    expect(definitionOf(periodic("tick", hourly, options, () => {}))).toMatchObject({
      overlap: "allow",
      misfire: { all: 3 },
      options: { timeoutMs: 300_000 },
    });
  });

  test("gives its handler the context as the only argument, and keeps no output", async () => {
    const handler = vi.fn<(context: TaskContext) => string>(() => "not kept");
    const tick = periodic("tick", hourly, handler);
    const scheduledAt = new Date(0);
    expect(await tick.run({ scheduledAt })).toBeUndefined();
    expect(handler.mock.calls).toEqual([[expect.objectContaining({ task: "tick", scheduledAt })]]);
  });

  test.each<readonly [given: readonly unknown[], message: string]>([
    [["t"], "schedule: expected a schedule, made by cron() or every(), got undefined"],
    [
      ["t", "0 0 * * *", () => {}],
      "schedule: expected a schedule, made by cron() or every(), got '0 0 * * *'",
    ],
    [
      ["t", { expression: "mine", next: () => new Date() }, () => {}],
      'schedule: expected a schedule, made by cron() or every(), got {"expression":"mine"}',
    ],
    [["t", hourly], "handler: expected a function, got undefined"],
    [
      ["t", hourly, { overlap: "all" }, () => {}],
      "overlap: expected 'allow' or 'skip' or 'queue', got 'all'",
    ],
    [
      ["t", hourly, { misfire: "all" }, () => {}],
      "misfire: expected 'skip', 'once' or { all: number }, got 'all'",
    ],
    [
      ["t", hourly, { misfire: { all: 0 } }, () => {}],
      "misfire all: expected an integer of at least 1, got 0",
    ],
    [["t", hourly, { misfire: { al: 1 } }, () => {}], "misfire: unknown option 'al'; known are 'all'"],
    [["t", hourly, { retries: -1 }, () => {}], "retries: expected an integer of at least 0, got -1"],
  ])("is refused when it is none: %j", (given, message) => {
    expect(() => definePeriodic(...given)).toThrow(optionError(`periodic task 't' ${message}`));
  });

  test.each(["input", "unique", "expires"])("takes no option %s", (name) => {
    expect(() => definePeriodic("t", hourly, { [name]: {} }, () => {})).toThrow(
      `periodic task 't': unknown option '${name}'`,
    );
  });
});

/** Every option there is; the compiler sees to it. */
const allOptions: Readonly<Record<keyof TaskOptions, true>> = {
  retries: true,
  backoff: true,
  retryWhen: true,
  timeout: true,
  priority: true,
  expires: true,
  unique: true,
  lock: true,
  limit: true,
  concurrency: true,
  delivery: true,
  isolate: true,
  keep: true,
  results: true,
  version: true,
};
