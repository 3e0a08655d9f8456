import { task, type LimitOptions, type Queue, type QueueEvent } from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const noon = new Date("2026-01-01T12:00:00Z");

/** A queue in virtual time, and the instants at which the handlers of its tasks began, in milliseconds after noon. */
function limitedQueue(make: (typeof storages)[number]["make"]) {
  const clock = virtualClock(noon);
  const starts: number[] = [];
  const begin = (of?: unknown): unknown => {
    starts.push(clock.now() - noon.getTime());
    return of;
  };
  const tasks = {
    call: task("call", { limit: { max: 3, per: "1s" } }, async ({ n }: { n: number }) => begin(n)),
    tenant: task(
      "tenant",
      { limit: { key: ({ tenant }: { tenant: string }) => tenant, max: 1, per: "1m" } },
      async ({ tenant }: { tenant: string }) => begin(tenant),
    ),
    drop: task(
      "drop",
      { limit: { key: "shared", max: 1, per: "1s", onLimit: "drop" } },
      async () => void begin(),
    ),
    fail: task(
      "fail",
      { limit: { key: "shared", max: 1, per: "1s", onLimit: "fail" }, retries: 1, backoff: "1s" },
      async () => void begin(),
    ),
    once: task(
      "once",
      { limit: { key: "shared", max: 1, per: "1s" }, retries: 1, backoff: "10ms" },
      async () => {
        begin();
        if (starts.length === 1) throw new Error("the first time");
      },
    ),
    locked: task("locked", { lock: "door", limit: { max: 2, per: "1s" } }, async () => void begin()),
    report: task("report", { limit: { max: 1, per: "1s" } }, async () => void begin()),
  };
  const queue = immediateQueue(make(), tasks, { clock });
  return { queue, clock, starts, ...tasks };
}

async function states(results: readonly { state(): Promise<unknown> }[]): Promise<readonly unknown[]> {
  return Promise.all(results.map((result) => result.state()));
}

describe.each(storages)("limits on $name", ({ make }) => {
  test("no more jobs start than the limit allows, and the others wait for the window", async () => {
    const { queue, call, starts } = limitedQueue(make);
    const heard: QueueEvent<"limited">[] = [];
    queue.on("limited", (event) => void heard.push(event));
    const jobs = Array.from({ length: 8 }, (_, n) => call.job({ n }));
    const results = await queue.enqueueMany(jobs);
    expect(await states(results)).toEqual([
      ...Array.from({ length: 3 }, () => "completed"),
      ...Array.from({ length: 5 }, () => "parked"),
    ]);
    expect(heard.map(({ id, task: name, key }) => [id, name, key])).toEqual(
      results.slice(3).map(({ id }) => [id, "call", "call"]),
    );
    await advance(queue, "999ms");
    expect(starts).toEqual([0, 0, 0]);
    await advance(queue, "5s");
    expect(starts).toEqual([0, 0, 0, 1000, 1000, 1000, 2000, 2000]);
    expect((await queue.counts()).completed).toBe(8);
    expect(heard).toHaveLength(5);
  });

  test("locks and limits of one name have nothing to do with each other", async () => {
    const lock = "limit:door";
    const both = task("both", { lock, limit: { key: "door", max: 1, per: "1s" } }, async () => {});
    const queue = immediateQueue(make(), { both }, { clock: virtualClock(noon) });
    const heard: unknown[] = [];
    queue.on(["locked", "limited"], ({ type, key }) => void heard.push([type, key]));
    await queue.limit("door", { max: 1, per: "1s" }).acquire();
    const held = await queue.lock(lock, { ttl: "1h" }).acquire();
    const result = await queue.enqueue(both.job());
    expect((await queue.why(result.id)).causes[0]?.evidence).toMatchObject({ gate: lock });
    await held[Symbol.asyncDispose]();
    await advance(queue, 0);
    expect((await queue.why(result.id)).causes[0]?.evidence).toMatchObject({ gate: "door" });
    expect(heard).toEqual([
      ["locked", lock],
      ["limited", "door"],
    ]);
    await advance(queue, "1s");
    expect(await result.state()).toBe("completed");
  });

  test("why names the limit and when it opens", async () => {
    const { queue, call } = limitedQueue(make);
    const results = await queue.enqueueMany(Array.from({ length: 5 }, (_, n) => call.job({ n })));
    const { state, causes } = await queue.why(results[4]!.id);
    expect(state).toBe("parked");
    expect(causes[0]).toEqual({
      code: "limited",
      message: "The limit 'call' is used up until 2026-01-01T12:00:01.000Z, and 1 more waits before it.",
      evidence: { gate: "call", holders: [], ahead: 1, opensAt: noon.getTime() + 1000 },
    });
  });

  test("the window slides: what started late in one second counts in the next", async () => {
    const { queue, call, starts } = limitedQueue(make);
    const enqueue = (n: number) => queue.enqueue(call.job({ n }));
    await enqueue(1);
    await advance(queue, "900ms");
    await Promise.all([enqueue(2), enqueue(3), enqueue(4), enqueue(5)]);
    await advance(queue, "5s");
    expect(starts).toEqual([0, 900, 900, 1000, 1900]);
  });

  test("a key made of the input limits each tenant for itself", async () => {
    const { queue, tenant, starts } = limitedQueue(make);
    const jobs = ["a", "a", "b", "b"].map((name) => tenant.job({ tenant: name }));
    const results = await queue.enqueueMany(jobs);
    expect(await states(results)).toEqual(["completed", "parked", "completed", "parked"]);
    await advance(queue, "1m");
    expect(starts).toEqual([0, 0, 60_000, 60_000]);
  });

  test("onLimit drop skips a job, and fail fails an attempt", async () => {
    const { queue, drop, fail, starts } = limitedQueue(make);
    const results = await queue.enqueueMany([drop.job(), drop.job()]);
    expect(await states(results)).toEqual(["completed", "skipped"]);
    await expect(results[1]?.wait()).rejects.toMatchObject({
      code: "TASKQ_SKIPPED",
      message: expect.stringContaining("the limit 'shared' is used up"),
    });
    const failing = await queue.enqueue(fail.job());
    expect(await failing.state()).toBe("scheduled");
    expect((await failing.info())?.attempts[0]?.error).toMatchObject({ code: "TASKQ_LIMITED" });
    await advance(queue, "1s");
    expect(await failing.state()).toBe("completed");
    expect(starts).toEqual([0, 1000]);
  });

  test("each attempt uses up a start, and tasks with one key share it", async () => {
    const { queue, once, drop, starts } = limitedQueue(make);
    const result = await queue.enqueue(once.job());
    expect(await result.state()).toBe("scheduled");
    await advance(queue, "500ms");
    expect(await result.state()).toBe("parked");
    expect(await (await queue.enqueue(drop.job())).state()).toBe("skipped");
    await advance(queue, "500ms");
    expect(starts).toEqual([0, 1000]);
    expect(await result.state()).toBe("completed");
  });

  test("a limited job that waits for its lock uses up no start", async () => {
    const { queue, locked, starts } = limitedQueue(make);
    const held = await queue.lock("door", { ttl: "1h" }).acquire();
    const results = await queue.enqueueMany([locked.job(), locked.job(), locked.job()]);
    expect(await states(results)).toEqual(["parked", "parked", "parked"]);
    await advance(queue, "10s");
    await held[Symbol.asyncDispose]();
    await advance(queue, 0);
    expect(starts).toEqual([10_000, 10_000]);
    await advance(queue, "1s");
    expect(starts).toEqual([10_000, 10_000, 11_000]);
  });

  test("a handler that waits for a limit goes on when time is moved, and it is told that it stands still", async () => {
    const warnings: Error[] = [];
    const heard = (warning: Error) => void warnings.push(warning);
    process.on("warning", heard);
    onTestFinished(() => void process.off("warning", heard));
    const twice = task("twice", async (_: void, { limit }) => {
      for (let calls = 0; calls < 2; calls += 1) await limit("api", { max: 1, per: "1s" }).acquire();
    });
    const queue = immediateQueue(make(), { twice }, { clock: virtualClock(noon) });
    const enqueued = queue.enqueue(twice.job());
    await expect
      .poll(() => warnings, { timeout: 10_000 })
      .toMatchObject([
        { code: "TASKQ_STANDSTILL", message: expect.stringContaining("'api' of 1 in 1000 ms") },
      ]);
    await advance(queue, "1s");
    expect(await (await enqueued).state()).toBe("completed");
  });

  test("a handler that waits for a limit again and again starts at each instant that is reached on the way", async () => {
    const clock = virtualClock(noon);
    const starts: number[] = [];
    const often = task("often", async (_: void, { limit }) => {
      for (let calls = 0; calls < 5; calls += 1) {
        await limit("api", { max: 1, per: "1s" }).acquire();
        starts.push(clock.now() - noon.getTime());
      }
    });
    const queue = immediateQueue(make(), { often }, { clock });
    const enqueued = queue.enqueue(often.job());
    await expect.poll(() => starts).toEqual([0]);
    await advance(queue, "4s");
    await enqueued;
    expect(starts).toEqual([0, 1000, 2000, 3000, 4000]);
  });

  test("a stage of a flow waits for its limit, and a revoked one waits no more", async () => {
    const { queue, report, starts } = limitedQueue(make);
    const flow = await queue.enqueue(report.job().pipe(report));
    const other = await queue.enqueue(report.job());
    await other.revoke();
    expect(await other.state()).toBe("cancelled");
    await advance(queue, "1s");
    expect(starts).toEqual([0, 1000]);
    expect(await flow.state()).toBe("completed");
  });

  test("queue.limit takes starts of the same limit, at once or later or not at all", async () => {
    const { queue, call, starts } = limitedQueue(make);
    const options: LimitOptions = { max: 3, per: "1s" };
    expect(await queue.limit("call", options).run(() => "done")).toBe("done");
    await queue.limit("call", options).acquire();
    const results = await queue.enqueueMany([call.job({ n: 1 }), call.job({ n: 2 })]);
    expect(await states(results)).toEqual(["completed", "parked"]);
    const used = { code: "TASKQ_LIMITED", message: "the limit 'call' of 3 in 1000 ms is used up" };
    await expect(queue.limit("call", { ...options, onLimit: "fail" }).acquire()).rejects.toMatchObject(used);
    await expect(queue.limit("call", { ...options, timeout: 20 }).acquire()).rejects.toMatchObject({
      code: "TASKQ_LIMITED",
      message: "the limit 'call' of 3 in 1000 ms is used up, and has no start left within 20 ms",
    });
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(queue.limit("call", { ...options, signal: aborted }).acquire()).rejects.toThrow("enough");
    let waited = false;
    const waiting = queue.limit("call", options).run(() => (waited = true));
    await advance(queue, "1s");
    expect(starts).toEqual([0, 1000]);
    await waiting;
    expect(waited).toBe(true);
    await expect(queue.limit("call", { ...options, onLimit: "fail" }).run(() => 1)).resolves.toBe(1);
    await expect(queue.limit("call", { ...options, onLimit: "fail" }).acquire()).rejects.toMatchObject(used);
  });

  test("context.limit and context.lock wait in a handler no longer than the run lasts", async () => {
    const options: LimitOptions = { max: 1, per: "1h" };
    const polite = task("polite", async (_: void, { limit }) => limit("api", options).run(() => "called"));
    const hasty = task("hasty", { timeout: "50ms" }, async (_: void, { limit }) =>
      limit("api", options).run(() => "called"),
    );
    const { signal } = new AbortController();
    const locking = task("locking", { timeout: "50ms" }, async (own: boolean, { lock }) =>
      lock("door", own ? { signal } : {}).run(() => "held"),
    );
    const queue = immediateQueue(make(), { polite, hasty, locking });
    expect(await (await queue.enqueue(polite.job())).wait()).toBe("called");
    expect(await (await queue.enqueue(locking.job(true))).wait()).toBe("held");
    const held = await queue.lock("door").acquire();
    for (const job of [hasty.job(), locking.job(false), locking.job(true)]) {
      const result = await queue.enqueue(job);
      await expect(result.wait()).rejects.toMatchObject({ error: { code: "TASKQ_TIMEOUT" } });
    }
    await held[Symbol.asyncDispose]();
  });

  test("a closed queue waits for no start", async () => {
    const queue = immediateQueue(make(), {});
    const options: LimitOptions = { max: 1, per: "1h" };
    await queue.limit("api", options).acquire();
    const waiting = queue
      .limit("api", options)
      .acquire()
      .catch((error: unknown) => error);
    await queue.close();
    expect(await waiting).toMatchObject({ code: "TASKQ_CLOSED" });
  });

  test("many starts under a large limit are counted exactly", async () => {
    const clock = virtualClock(noon);
    let runs = 0;
    const many = task("many", { limit: { max: 400, per: "1m" } }, async () => void (runs += 1));
    const queue = immediateQueue(make(), { many }, { clock });
    await queue.enqueueMany(Array.from({ length: 900 }, () => many.job()));
    const counted: number[] = [];
    for (let minute = 0; minute < 3; minute += 1) {
      counted.push(runs);
      await advance(queue, "59999ms");
      expect(runs).toBe(counted.at(-1));
      await advance(queue, 1);
    }
    expect([...counted, runs]).toEqual([400, 800, 900, 900]);
  });

  test("who goes before the others in line, and has room where they have none, starts at once", async () => {
    const narrow = task("narrow", { limit: { key: "shared", max: 1, per: "1m" } }, async () => {});
    const wide = task("wide", { limit: { key: "shared", max: 2, per: "1m" }, priority: 1 }, async () => 7);
    const queue = immediateQueue(make(), { narrow, wide });
    await queue.enqueue(narrow.job());
    const behind = await queue.enqueue(narrow.job());
    const first = await queue.enqueue(wide.job(), { delay: "1s" });
    await advance(queue, "1s");
    expect(await first.peek()).toEqual({ state: "completed", value: 7 });
    expect(await behind.state()).toBe("parked");
  });
});

describe("bad options of limits", () => {
  const { make } = storages[0]!;
  test.each([
    [{ max: 0, per: "1s" }, "limit max: expected an integer from 1 to 10000, got 0"],
    [{ max: 10_001, per: "1s" }, "limit max: expected an integer from 1 to 10000, got 10001"],
    [{ max: 1.5, per: "1s" }, "limit max: expected an integer from 1 to 10000, got 1.5"],
    [{ max: 1, per: 0 }, "limit per: expected a duration of at least 1 ms, got 0"],
    [{ max: 1, per: "soon" }, "limit per"],
    [{ max: 1, per: "1s", onLimit: "later" }, "limit onLimit"],
    [{ max: 1, per: "1s", key: "" }, "limit key"],
    [{ max: 1, per: "1s", key: 7 }, "limit key: expected a text or a function of the input, got 7"],
    [{ max: 1, per: "1s", burst: 2 }, "burst"],
    [{ per: "1s" }, "limit max: expected an integer from 1 to 10000, got undefined"],
  ])("the task option %j is refused", (limit, message) => {
    const define = (): unknown => task("limited", { limit: limit as never }, async () => {});
    expect(define).toThrow(expect.objectContaining({ code: "TASKQ_OPTION" }));
    expect(define).toThrow(message);
  });

  test.each([
    ["api", { max: 0, per: "1s" }, "limit max: expected an integer from 1 to 10000, got 0"],
    ["api", { max: 1, per: 0 }, "limit per: expected a duration of at least 1 ms, got 0"],
    ["api", { max: 1, per: "1s", onLimit: "drop" }, "limit onLimit"],
    ["api", { max: 1, per: "1s", key: "x" }, "key"],
    ["api", { max: 1, per: "1s", timeout: "soon" }, "limit timeout"],
    ["", { max: 1, per: "1s" }, "limit name: expected a text of 1 to 255 characters, got ''"],
    ["a".repeat(256), { max: 1, per: "1s" }, "limit name: expected a text of 1 to 255 characters"],
    [7, { max: 1, per: "1s" }, "limit name: expected a text of 1 to 255 characters, got 7"],
  ])("queue.limit(%j, %j) is refused", (name, options, message) => {
    const queue: Queue = immediateQueue(make(), {});
    const ask = (): unknown => queue.limit(name as string, options as LimitOptions);
    expect(ask).toThrow(expect.objectContaining({ code: "TASKQ_OPTION" }));
    expect(ask).toThrow(message);
  });

  test("a key that is no text is refused when a job is enqueued, and nothing is stored", async () => {
    const limited = task(
      "limited",
      { limit: { key: ({ n }: { n: number }) => n as unknown as string, max: 1, per: "1s" } },
      async ({ n }: { n: number }) => n,
    );
    const queue = immediateQueue(make(), { limited });
    await expect(queue.enqueue(limited.job({ n: 7 }))).rejects.toMatchObject({
      code: "TASKQ_OPTION",
      message: "task 'limited' limit: expected a text of 1 to 255 characters, got 7",
    });
    expect(Object.values(await queue.counts()).every((count) => count === 0)).toBe(true);
  });
});
