// What the tutorial of huey, the ancestor, shows, told with the queue's own words.
import {
  every,
  exponential,
  group,
  JobFailedError,
  JobSkippedError,
  periodic,
  task,
  type Outcome,
} from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const increase = task("increase", async ({ input, by }: { input: number; by: number }) => input + by);

interface Pair {
  readonly a: number;
  readonly b: number;
}
const fibonacci = task("fibonacci", async ({ a, b }: Pair): Promise<Pair> => ({ a: a + b, b: a }));

interface Trip {
  readonly place: string;
  readonly seen: readonly string[];
}
const travel = task("travel", async ({ place, seen }: Trip): Promise<Trip> => ({
  place,
  seen: [...seen, place],
}));

describe.each(storages)("the ancestor's tutorial on $name", ({ make }) => {
  test("the pipeline of four adds gives 3, 6, 10, 15, stage by stage and again when asked again", async () => {
    const queue = immediateQueue(make(), { add, increase });
    const job = add
      .job({ a: 1, b: 2 })
      .pipe(increase, { by: 3 })
      .pipe(increase, { by: 4 })
      .pipe(increase, { by: 5 });
    const result = await queue.enqueue(job);
    for (let asked = 0; asked < 2; asked += 1) {
      expect(await Promise.all(result.stages.map((stage) => stage.wait()))).toEqual([3, 6, 10, 15]);
    }
  });

  test("the Fibonacci pipeline hands each pair on", async () => {
    const queue = immediateQueue(make(), { fibonacci });
    const job = fibonacci.job({ a: 1, b: 1 }).pipe(fibonacci).pipe(fibonacci).pipe(fibonacci);
    const result = await queue.enqueue(job);
    expect(await Promise.all(result.stages.map((stage) => stage.wait()))).toEqual([
      { a: 2, b: 1 },
      { a: 3, b: 2 },
      { a: 5, b: 3 },
      { a: 8, b: 5 },
    ]);
  });

  test("the state pipeline merges what is given into what is handed on, and what is given wins", async () => {
    const queue = immediateQueue(make(), { travel });
    const job = travel
      .job({ place: "Topeka", seen: [] })
      .pipe(travel, { place: "Lawrence" })
      .pipe(travel, { place: "Kansas City" });
    expect(await (await queue.enqueue(job)).wait()).toEqual({
      place: "Kansas City",
      seen: ["Topeka", "Lawrence", "Kansas City"],
    });
  });
});

describe.each(storages)("the ancestor's chords on $name", ({ make }) => {
  const late = task("late", { expires: "30m" }, async (): Promise<number> => 0);
  const flaky = task("flaky", { retries: 2, backoff: "1m" }, async (): Promise<number> => {
    throw new Error("a bad day");
  });
  const told = task("told", async (outcomes: readonly Outcome<number>[]) =>
    outcomes.map((outcome) => (outcome.state === "completed" ? outcome.value : outcome.state)),
  );
  const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0));
  const members = [add.job({ a: 1, b: 1 }), flaky.job(), add.job({ a: 2, b: 2 }), late.job()];

  test("a settled chord is told of members that failed, were revoked and expired, each in its place", async () => {
    const queue = immediateQueue(make(), { add, late, flaky, told });
    const flow = group(members, { mode: "settled" }).pipe(told);
    const result = await queue.enqueue(flow, { delay: "1h" });
    expect(await result.stages[2]?.revoke()).toBe(true);
    await advance(queue, "61m");
    expect(await result.peek()).toBeUndefined();
    await advance(queue, "2m");
    expect(await result.wait()).toEqual([2, "failed", "cancelled", "expired"]);
    expect(await queue.counts()).toMatchObject({ completed: 2, failed: 1, cancelled: 1, expired: 1 });
  });

  test("a chord whose member expires is skipped, and its callback never runs", async () => {
    const queue = immediateQueue(make(), { add, late, sum });
    const result = await queue.enqueue(group([add.job({ a: 1, b: 1 }), late.job()]).pipe(sum), {
      delay: "1h",
    });
    await advance(queue, "1h");
    await expect(result.wait()).rejects.toThrow(JobSkippedError);
    expect(await result.info()).toMatchObject({ state: "skipped", attempt: 0 });
  });

  test("an error handler of a chord hears of the member that failed, once", async () => {
    const reports: { readonly task: string; readonly attempts: number }[] = [];
    const alert = task("alert", async (report: { task: string; attempts: number }) => {
      reports.push({ task: report.task, attempts: report.attempts });
    });
    const queue = immediateQueue(make(), { add, flaky, sum, alert });
    const flow = group([add.job({ a: 1, b: 1 }), flaky.job()]).pipe(sum);
    const result = await queue.enqueue(flow.onError(alert));
    await advance(queue, "5m");
    expect(reports).toEqual([{ task: "flaky", attempts: 3 }]);
    expect(await result.state()).toBe("skipped");
  });
});

describe.each(storages)("the ancestor's locks, retries and beats on $name", ({ make }) => {
  test("three locked jobs run one after the other, in the order in which they were enqueued", async () => {
    const steps: string[] = [];
    const locked = task("locked", { lock: "reports" }, async (n: number) => {
      steps.push(`${n} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      steps.push(`${n} ends`);
    });
    const queue = immediateQueue(make(), { locked });
    const held = await queue.lock("reports").acquire();
    const results = await Promise.all([1, 2, 3].map((n) => queue.enqueue(locked.job(n))));
    expect(await Promise.all(results.map((result) => result.state()))).toEqual(Array(3).fill("parked"));
    expect(steps).toEqual([]);
    await held[Symbol.asyncDispose]();
    await advance(queue, 1);
    expect(steps).toEqual(["1 begins", "1 ends", "2 begins", "2 ends", "3 begins", "3 ends"]);
    expect((await Promise.all(results.map((result) => result.info()))).map((info) => info?.failures)).toEqual(
      [0, 0, 0],
    );
  });

  test("a flaky job is tried again after 2, 4, 8, 16 and 32 s, and what waits hears only of the end", async () => {
    const starts: number[] = [];
    const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
    const flaky = task("flaky", { retries: 5, backoff: exponential({ base: "2s" }) }, async () => {
      starts.push(clock.now() / 1_000);
      if (starts.length < 6) throw new Error("not yet");
      return "at last";
    });
    const queue = immediateQueue(make(), { flaky }, { clock });
    const result = await queue.enqueue(flaky.job());
    await advance(queue, "61s");
    expect(await result.peek()).toBeUndefined();
    await advance(queue, "1s");
    expect(starts.slice(1).map((start, index) => start - (starts[index] ?? 0))).toEqual([2, 4, 8, 16, 32]);
    expect(await result.wait()).toBe("at last");
  });

  test("a job without retries left fails with the error of its last attempt", async () => {
    const flaky = task("flaky", { retries: 1, backoff: "1s" }, async (_: void, { attempt }) => {
      throw new RangeError(`attempt ${attempt}`);
    });
    const queue = immediateQueue(make(), { flaky });
    const result = await queue.enqueue(flaky.job());
    await advance(queue, "2s");
    const error = await result.wait().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(JobFailedError);
    expect(error).toMatchObject({ attempts: 2, message: expect.stringContaining("RangeError: attempt 2") });
  });

  test("a day of a minutely task fires 1,440 times, once at each minute", async () => {
    const minutes: number[] = [];
    const beat = periodic("beat", every("1m"), ({ scheduledAt }) => {
      minutes.push(scheduledAt.getTime() / 60_000);
    });
    const from = new Date("2026-01-01T00:00:00Z");
    const queue = immediateQueue(make(), { beat }, { clock: virtualClock(from) });
    await advance(queue, "1d");
    expect(minutes).toEqual(Array.from({ length: 1_440 }, (_, n) => from.getTime() / 60_000 + n + 1));
  }, 20_000);

  test("a day of a minutely task takes well under a second of this process", async () => {
    const beat = periodic("beat", every("1m"), () => {});
    const queue = immediateQueue(make(), { beat });
    await advance(queue, "1h");
    // Time spent by this process, as a busy machine must not count, nor what the system takes for files on such a one; the first day may compile
    // what it runs.
    let spent = Number.POSITIVE_INFINITY;
    for (let day = 0; day < 5 && spent >= 1_000; day += 1) {
      const before = process.cpuUsage();
      await advance(queue, "1d");
      spent = process.cpuUsage(before).user / 1_000;
    }
    expect(spent).toBeLessThan(1_000);
  }, 30_000);
});
