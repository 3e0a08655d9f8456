import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import Database from "better-sqlite3";
import { createQueue, Fatal, Retry, task, type Queue, type Stats } from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { sqliteStorage } from "../../src/index.js";
import { afterTest, failure, temporaryFolder } from "../support.js";
import { immediateQueue, storages } from "./storages.js";

const START = new Date("2026-01-01T00:00:30Z");
const NOTHING = { p50: 0, p95: 0, p99: 0, max: 0 };

function same(value: number): Stats["total"]["runMs"] {
  return { p50: value, p95: value, p99: value, max: value };
}

describe.each(storages)("statistics on $name", ({ make }) => {
  test("tell what ended how, by task and by minute, and how long it waited and ran", async () => {
    const clock = virtualClock(START);
    const quick = task("quick", async (takes: number) => clock.advance(takes));
    const flaky = task("flaky", { retries: 1 }, async (how: "fail" | "retry") => {
      await clock.advance(5);
      throw how === "fail" ? new Fatal("for good") : new Retry({ delay: "90s" });
    });
    const queue = immediateQueue(make(), { quick, flaky }, { clock });
    expect(await queue.stats()).toEqual({
      since: new Date("2025-12-31T23:00:00Z"),
      oldestWaitingMs: undefined,
      total: { completed: 0, failed: 0, retried: 0, waitMs: NOTHING, runMs: NOTHING },
      tasks: {},
      minutes: [],
    });
    for (let turn = 1; turn <= 100; turn += 1) await queue.enqueue(quick.job(turn === 100 ? 5_000 : 10));
    await queue.enqueue(flaky.job("fail"));
    const again = await queue.enqueue(flaky.job("retry"));
    const { total, tasks, minutes } = await queue.stats();
    expect(tasks["quick"]).toEqual({
      completed: 100,
      failed: 0,
      retried: 0,
      waitMs: NOTHING,
      runMs: { p50: 10, p95: 10, p99: 10, max: 5_000 },
    });
    expect(tasks["flaky"]).toEqual({ completed: 0, failed: 1, retried: 1, waitMs: NOTHING, runMs: same(5) });
    expect(total).toMatchObject({ completed: 100, failed: 1, retried: 1 });
    expect(minutes).toEqual([{ at: new Date("2026-01-01T00:00:00Z"), ...total }]);

    await queue.revoke(flaky, { once: true });
    await advance(queue, "2m");
    expect(await again.state()).toBe("cancelled");
    await queue.enqueue(quick.job(1));
    const later = await queue.stats({ window: "1m" });
    expect(later.since).toEqual(new Date("2026-01-01T00:01:00Z"));
    expect(later.total).toEqual({ completed: 1, failed: 0, retried: 0, waitMs: NOTHING, runMs: same(1) });
    expect((await queue.stats()).tasks["quick"]).toMatchObject({ completed: 101 });
    expect((await queue.stats()).minutes.map(({ at }) => at.toISOString().slice(11, 16))).toEqual([
      "00:00",
      "00:02",
    ]);
  });

  test("tell by task for how long the oldest has been waiting, also of one that has not run", async () => {
    const clock = virtualClock(START);
    const quick = task("quick", async () => {});
    const slow = task("slow", async () => {});
    const queue = immediateQueue(make(), { quick, slow }, { clock });
    await queue.enqueue(quick.job());
    await queue.pause(slow);
    await queue.enqueue(slow.job());
    await clock.advance("10s");
    await queue.enqueue(slow.job(), { delay: "1h" });
    const { tasks, total, oldestWaitingMs } = await queue.stats({ by: "task" });
    expect(tasks).toMatchObject({
      quick: { completed: 1, oldestWaitingMs: undefined },
      slow: { completed: 0, waitMs: NOTHING, oldestWaitingMs: 10_000 },
    });
    expect([total.completed, oldestWaitingMs]).toEqual([1, 10_000]);
    expect((await queue.stats()).tasks).not.toHaveProperty("slow");
    await expect(queue.stats({ by: "minute" as never })).rejects.toThrow(
      "stats by: expected 'task', got 'minute'",
    );
  });

  test("tell how long jobs waited, and for how long the oldest has been waiting", async () => {
    const clock = virtualClock(START);
    const quick = task("quick", async () => {});
    const queue = immediateQueue(make(), { quick }, { clock });
    await queue.pause(quick);
    await queue.enqueue(quick.job());
    await clock.advance("10s");
    await queue.enqueue(quick.job());
    await queue.enqueue(quick.job(), { delay: "1h" });
    await clock.advance("20s");
    expect((await queue.stats()).oldestWaitingMs).toBe(30_000);
    await queue.resume(quick);
    const { oldestWaitingMs, total } = await queue.stats();
    expect(oldestWaitingMs).toBeUndefined();
    expect(total.completed).toBe(2);
    expect(total.waitMs.max).toBe(30_000);
    expect(total.waitMs.p50).toBeGreaterThanOrEqual(20_000);
    expect(total.waitMs.p50).toBeLessThan(20_000 * (1 + 1 / 32));
  });

  test("are kept for 48 hours of a minutely task, and add up", async () => {
    const clock = virtualClock(START);
    const quick = task("quick", async () => {});
    const queue = immediateQueue(make(), { quick }, { clock });
    for (let hour = 0; hour < 60; hour += 1) {
      await queue.enqueue(quick.job());
      await clock.advance("1h");
    }
    expect((await queue.stats({ window: "48h" })).total.completed).toBe(48);
    expect((await queue.stats({ window: "90m" })).total.completed).toBe(1);
    expect((await queue.stats({ window: 0 })).total.completed).toBe(0);
  });

  test("refuse a window that is no duration or longer than they are kept, and unknown options", async () => {
    const queue = immediateQueue(make(), {});
    const refused = async (options: unknown): Promise<string> => {
      const error = await failure(queue.stats(options as { window: "1h" }));
      expect(error.code).toBe("TASKQ_OPTION");
      return error.message;
    };
    for (const window of ["soon", -1, Number.NaN, Infinity, "1w", null, {}, "", new Date()]) {
      expect(await refused({ window })).toContain("stats window: expected a duration such as 250");
    }
    expect(await refused({ window: "49h" })).toBe(
      "stats window: expected a duration of at most '48h', as long as statistics are kept, got '49h'",
    );
    expect(await refused({ windows: "1h" })).toContain("stats: unknown option 'windows'; known are 'window'");
    for (const options of [null, "1h", []])
      expect(await refused(options)).toContain("stats: expected an object");
  });

  test("counts by anything but the task are refused", async () => {
    const queue = immediateQueue(make(), {});
    const wrong = (options: unknown): Promise<unknown> => queue.counts(options as { by: "task" });
    await expect(wrong({ by: "state" })).rejects.toThrow("counts by: expected 'task', got 'state'");
    await expect(wrong({ of: "task" })).rejects.toThrow("counts: unknown option 'of'");
  });

  test("a job tells its whole story, and why it stands where it stands", async () => {
    const clock = virtualClock(START);
    let runs = 0;
    const flaky = task("flaky", { retries: 1, backoff: "1m" }, async () => {
      await clock.advance(10);
      runs += 1;
      if (runs === 1) throw new TypeError("not yet");
      return "at last";
    });
    const queue = immediateQueue(make(), { flaky }, { clock });
    const result = await queue.enqueue(flaky.job());
    const why = await queue.why(result.id);
    expect(why.state).toBe("scheduled");
    expect(why.causes.map(({ code }) => code)).toEqual(["retrying", "not-due"]);
    await advance(queue, "5m");
    const info = await queue.job(result.id);
    expect(info).toMatchObject({ state: "completed", attempt: 2, failures: 1, crashes: 0 });
    expect(info?.attempts).toMatchObject([
      { attempt: 1, startedAt: START, error: { name: "TypeError", message: "not yet" } },
      { attempt: 2, error: undefined, endedAt: info?.finishedAt },
    ]);
    expect(info?.attempts.every(({ owner }) => owner.startsWith("inline-"))).toBe(true);
    const done = await queue.why(result.id);
    expect(done.causes).toMatchObject([{ code: "final", message: "It is completed." }]);
    expect((await queue.why("nobody")).state).toBe("unknown");
  });
});

interface Worker {
  readonly path: string;
  readonly jobs: number;
  readonly takes: number;
  readonly lives?: boolean;
}

/** A process that runs jobs; resolves when it has run them. */
async function worker({ path, jobs, takes, lives = false }: Worker): Promise<ChildProcess> {
  const env = {
    ...process.env,
    TASKQ_FILE: path,
    TASKQ_JOBS: `${jobs}`,
    TASKQ_TAKES: `${takes}`,
    TASKQ_START: `${START.getTime()}`,
    TASKQ_LIVES: lives ? "1" : "0",
  };
  const child = fork(new URL("../run-jobs.js", import.meta.url), { env });
  afterTest(() => void child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

function reader(path: string): Queue {
  const clock = virtualClock(new Date(START.getTime() + 60_000));
  return immediateQueue(sqliteStorage({ path }), {}, { clock });
}

describe("statistics of several processes", () => {
  test("that write the same minute add up to what they ran", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    await Promise.all([
      worker({ path, jobs: 150, takes: 100 }),
      worker({ path, jobs: 100, takes: 200 }),
      worker({ path, jobs: 50, takes: 7 }),
    ]);
    const { total, minutes } = await reader(path).stats();
    expect(total).toMatchObject({ completed: 300, failed: 0, retried: 0 });
    expect(minutes).toHaveLength(1);
    expect(total.runMs.max).toBe(200);
    expect(total.runMs.p50).toBeGreaterThanOrEqual(100);
    expect(total.runMs.p50).toBeLessThan(104);
  }, 30_000);

  test("lose no more than the last second of one that is killed", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const child = await worker({ path, jobs: 100, takes: 100, lives: true });
    child.kill("SIGKILL");
    await once(child, "exit");
    const { total } = await reader(path).stats();
    expect(total.completed).toBeGreaterThanOrEqual(90);
    expect(total.completed).toBeLessThanOrEqual(100);
    expect((await reader(path).counts()).completed).toBe(100);
  }, 30_000);
});

test("a SQLite file holds no statistics older than 48 hours", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const clock = virtualClock(START);
  const quick = task("quick", async () => {});
  const queue = createQueue({ storage: sqliteStorage({ path }), tasks: { quick }, immediate: true, clock });
  for (let hour = 0; hour < 60; hour += 1) {
    await queue.enqueue(quick.job());
    await clock.advance("1h");
  }
  await queue.close();
  const database = new Database(path, { readonly: true });
  afterTest(() => void database.close());
  const rows = database.prepare("SELECT min(minute), max(minute), count(*) FROM taskq_stats").raw().get();
  const last = Math.floor(START.getTime() / 60_000) * 60_000 + 59 * 3_600_000;
  expect(rows).toEqual([last - 47 * 3_600_000, last, 48]);
});

test("a count and a list that the storage is closed under reject with TASKQ_CLOSED", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const quick = task("quick", async () => {});
  const other = task("other", async () => {});
  const queue = createQueue({ storage: sqliteStorage({ path }), tasks: { quick, other } });
  await queue.enqueueMany(Array.from({ length: 45_000 }, () => quick.job()));
  const counting = failure(queue.counts({ by: "task" }));
  const listing = failure(queue.jobs({ task: other })[Symbol.asyncIterator]().next());
  await new Promise(setImmediate);
  await queue.close();
  expect([(await counting).code, (await listing).code]).toEqual(["TASKQ_CLOSED", "TASKQ_CLOSED"]);
}, 30_000);
