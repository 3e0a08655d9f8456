import {
  group,
  JobFailedError,
  task,
  TaskqError,
  type FailureReport,
  type Outcome,
  type Queue,
  type QueueEvent,
  type StandardSchema,
} from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

interface Order {
  readonly tenant: string;
  readonly n: number;
}

const noon = new Date("2026-01-01T12:00:00Z");
const fetch = task("fetch", async (order: Order) => order);

/** Whether somebody else holds a lock. */
async function isHeld(queue: Queue, name: string): Promise<boolean> {
  const taken = queue.lock(name, { onBusy: "fail" }).run(() => false);
  return taken.catch((error: unknown) => error instanceof TaskqError && error.code === "TASKQ_LOCKED");
}

describe.each(storages)("keys of later stages on $name", ({ make }) => {
  test("a lock that is a function of the input holds a stage back, and only that of its key", async () => {
    const store = task("store", { lock: ({ tenant }: Order) => tenant }, async ({ n }: Order) => n);
    const queue = immediateQueue(make(), { fetch, store });
    const heard: QueueEvent<"started" | "locked">[] = [];
    queue.on(["started", "locked"], (event) => void heard.push(event));
    const lock = await queue.lock("acme").acquire();
    const [acme, other] = await queue.enqueueMany(
      ["acme", "other"].map((tenant, n) => fetch.job({ tenant, n }).pipe(store)),
    );
    expect(await other?.wait()).toBe(1);
    expect(await acme?.state()).toBe("parked");
    expect(await acme?.info()).toMatchObject({ attempt: 0, failures: 0, crashes: 0, attempts: [] });
    expect((await queue.why(acme?.id ?? "")).causes[0]).toMatchObject({
      code: "locked",
      evidence: { gate: "acme" },
    });
    await lock[Symbol.asyncDispose]();
    await advance(queue, 1);
    expect(await acme?.wait()).toBe(0);
    expect(await acme?.info()).toMatchObject({ attempt: 1, failures: 0, attempts: [{ attempt: 1 }] });
    // It is told once that each began, and that one found its lock taken.
    expect(heard.filter(({ id }) => id === acme?.id).map(({ type }) => type)).toEqual(["locked", "started"]);
    expect(heard.filter(({ id }) => id === other?.id).map(({ type }) => type)).toEqual(["started"]);
  });

  test("a limit that is a function of the input counts the starts of stages", async () => {
    const clock = virtualClock(noon);
    const starts: [string, number][] = [];
    const call = task(
      "call",
      { limit: { key: ({ tenant }: Order) => tenant, max: 2, per: "1m" } },
      async ({ tenant }: Order) => void starts.push([tenant, clock.now() - noon.getTime()]),
    );
    const queue = immediateQueue(make(), { fetch, call }, { clock });
    const orders = ["a", "a", "b", "a", "a", "a"].map((tenant, n) => ({ tenant, n }));
    await queue.enqueueMany(orders.map((order) => fetch.job(order).pipe(call)));
    await advance(queue, "5m");
    const of = (tenant: string) => starts.filter(([one]) => one === tenant).map(([, at]) => at);
    expect(of("a")).toEqual([0, 0, 60_000, 60_000, 120_000]);
    expect(of("b")).toEqual([0]);
  });

  test("a unique key made from the input, or a hash of it, lets a stage wait for the one before", async () => {
    const runs: string[] = [];
    const work = async (kind: string, { tenant, n }: Order) => {
      runs.push(`${kind} ${tenant} ${n}`);
      // The first one of each key is not done before a minute has passed.
      if (runs.filter((run) => run.startsWith(`${kind} ${tenant}`)).length === 1) throw new Error("later");
    };
    const policy = { retries: 1, backoff: "1m" } as const;
    const named = task(
      "named",
      { ...policy, unique: { key: ({ tenant }: Order) => tenant } },
      async (order: Order) => work("named", order),
    );
    const hashed = task("hashed", { ...policy, unique: {} }, async (order: Order) => work("hashed", order));
    const queue = immediateQueue(make(), { fetch, named, hashed });
    const flows = [1, 2].flatMap((n) => [
      fetch.job({ tenant: "a", n }).pipe(named),
      fetch.job({ tenant: "a", n: 1 }).pipe(hashed),
    ]);
    const results = await queue.enqueueMany(flows);
    expect(runs).toEqual(["named a 1", "hashed a 1"]);
    expect(await Promise.all(results.map((result) => result.state()))).toEqual([
      "scheduled",
      "scheduled",
      "parked",
      "parked",
    ]);
    await advance(queue, "2m");
    await Promise.all(results.map((result) => result.wait()));
    const of = (kind: string) => runs.filter((run) => run.startsWith(kind));
    expect(of("named")).toEqual(["named a 1", "named a 1", "named a 2"]);
    expect(of("hashed")).toHaveLength(3);
  });

  test("the callback of a group and an error handler have keys of their input too", async () => {
    const seen: unknown[] = [];
    const sum = task(
      "sum",
      { lock: (numbers: readonly number[]) => `sum of ${numbers.length}` },
      async (numbers: readonly number[]): Promise<number> => {
        seen.push(await isHeld(queue, `sum of ${numbers.length}`));
        throw new Error(`no sum of ${numbers.join()}`);
      },
    );
    const alert = task(
      "alert",
      { concurrency: { key: (report: FailureReport) => report.task, max: 1 } },
      async ({ error }: FailureReport) => void seen.push(error.message),
    );
    const one = task("one", async (n: number) => n);
    const queue: Queue<"one" | "sum" | "alert"> = immediateQueue(make(), { one, sum, alert });
    await queue.enqueue(
      group([one.job(1), one.job(2)])
        .pipe(sum)
        .onError(alert),
    );
    expect(seen).toEqual([true, "no sum of 1,2"]);
  });

  test("a key that cannot be made is a failed attempt, tried again as any other", async () => {
    let asked = 0;
    const flaky = task(
      "flaky",
      {
        retries: 2,
        lock: ({ n }: Order) => {
          asked += 1;
          if (asked < 3) throw new RangeError(`no key for ${n}`);
          return "key";
        },
      },
      async () => "done",
    );
    const wrong = task(
      "wrong",
      { lock: (() => 7) as unknown as (order: Order) => string },
      async ({ n }: Order) => n,
    );
    const queue = immediateQueue(make(), { fetch, flaky, wrong });
    const result = await queue.enqueue(fetch.job({ tenant: "a", n: 5 }).pipe(flaky));
    expect(await result.wait()).toBe("done");
    expect((await result.info())?.attempts.map(({ error }) => error?.message)).toEqual([
      "no key for 5",
      "no key for 5",
      undefined,
    ]);
    const failed = await queue.enqueue(fetch.job({ tenant: "a", n: 5 }).pipe(wrong));
    await expect(failed.wait()).rejects.toThrow(JobFailedError);
    await expect(failed.wait()).rejects.toThrow(
      "task 'wrong' lock: expected a text of 1 to 255 characters, got 7",
    );
  });

  test("a schema has its say before the key is made, be it an asynchronous one", async () => {
    const schema: StandardSchema<Order> = {
      "~standard": {
        version: 1,
        vendor: "test",
        async validate(value: unknown) {
          const { tenant, n } = value as Order;
          return n < 0 ? { issues: [{ message: "below zero" }] } : { value: { tenant: `t-${tenant}`, n } };
        },
      },
    };
    const store = task(
      "store",
      { input: schema, lock: ({ tenant }: Order) => tenant },
      async ({ tenant }: Order) => isHeld(queue, "t-a").then((held) => [tenant, held]),
    );
    const queue: Queue<"fetch" | "store"> = immediateQueue(make(), { fetch, store });
    const held = await queue.enqueue(fetch.job({ tenant: "a", n: 1 }).pipe(store));
    expect(await held.wait()).toEqual(["t-a", true]);
    const refused = await queue.enqueue(fetch.job({ tenant: "a", n: -1 }).pipe(store));
    await expect(refused.wait()).rejects.toThrow("below zero");
  });

  test("keys are made anew when a stage before was run again by hand", async () => {
    let price = 0;
    const quote = task("quote", async () => {
      price += 1;
      if (price === 1) throw new Error("not yet");
      return price;
    });
    const keys: string[] = [];
    const book = task(
      "book",
      {
        lock: ([quoted]: readonly Outcome<number>[]) => {
          const key = quoted?.state === "completed" ? `price ${quoted.value}` : "no price";
          keys.push(key);
          return key;
        },
      },
      async ([quoted]: readonly Outcome<number>[]) => quoted?.state,
    );
    const queue = immediateQueue(make(), { quote, book });
    const lock = await queue.lock("no price").acquire();
    const result = await queue.enqueue(group([quote.job()], { mode: "settled" }).pipe(book));
    expect(await result.state()).toBe("parked");
    expect(keys).toEqual(["no price"]);
    expect(await queue.retry(result.stages[0]?.id ?? "")).toBe(true);
    // It is in the line of the key it had, until that is its turn.
    await lock[Symbol.asyncDispose]();
    await advance(queue, 1);
    expect(await result.wait()).toBe("completed");
    expect(keys).toEqual(["no price", "price 2"]);
  });

  test("a consumer that dies before it has made them leaves them to another", async () => {
    const clock = virtualClock(noon);
    const keys: string[] = [];
    const store = task(
      "store",
      {
        lock: ({ tenant }: Order) => {
          keys.push(tenant);
          return tenant;
        },
      },
      async ({ n }: Order) => n,
    );
    const queue = immediateQueue(make(), { fetch, store }, { clock });
    await queue.pause(store);
    const result = await queue.enqueue(fetch.job({ tenant: "a", n: 4 }).pipe(store));
    const { storage, taskNames: tasks } = engineOf(queue);
    await storage.control({ queue: "default", task: "store", change: { kind: "resume" }, now: clock.now() });
    const claim = { begin: 1, ahead: 0, lease: 1_000 };
    const dead = { queue: "default", owner: "dead", request: 1, tasks, settled: [], begun: [], claim };
    const { claimed } = await storage.step({ ...dead, now: clock.now() });
    expect(claimed.map(({ id }) => id)).toEqual([result.id]);
    for (let pass = 0; pass < 2; pass += 1) {
      await clock.advance(2_000);
      await storage.reap({ queue: "default", limit: 10, now: clock.now() });
    }
    await advance(queue, "5s");
    expect([await result.wait(), keys]).toEqual([4, ["a"]]);
    expect(await result.info()).toMatchObject({ crashes: 1, failures: 0 });
  });

  test("a stage that runs at most once, and one claimed under a busy lock, end as their tasks say", async () => {
    let runs = 0;
    const once = task(
      "once",
      { delivery: "at-most-once", lock: ({ tenant }: Order) => tenant },
      async () => (runs += 1),
    );
    const skip = task(
      "skip",
      { lock: { key: ({ tenant }: Order) => tenant, onBusy: "skip" } },
      async () => 1,
    );
    const fail = task(
      "fail",
      { lock: { key: ({ tenant }: Order) => tenant, onBusy: "fail" } },
      async () => 1,
    );
    const queue = immediateQueue(make(), { fetch, once, skip, fail });
    const order = fetch.job({ tenant: "a", n: 1 });
    expect(await (await queue.enqueue(order.pipe(once))).wait()).toBe(1);
    expect(runs).toBe(1);
    await using _lock = await queue.lock("a").acquire();
    await expect((await queue.enqueue(order.pipe(skip))).wait()).rejects.toThrow("'a' was busy");
    await expect((await queue.enqueue(order.pipe(fail))).wait()).rejects.toThrow(
      "'a' was busy, and the task says to fail then",
    );
  });
});
