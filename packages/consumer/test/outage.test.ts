import { faultyStorage } from "@taskq/conformance";
import { createQueue, periodic, every, task, TaskqError } from "@taskq/core";
import { describe, expect, test, vi } from "vitest";
import { createConsumer } from "../src/index.js";
import { isPassing, Outage, retryPause } from "../src/outage.js";
import { closing, serve } from "./serving.js";
import { only, recordEvents, recordingLogger, sleep, storages, until } from "./support.js";

function bounds(outageMs: number): number[] {
  return [retryPause(outageMs, () => 0), retryPause(outageMs, () => 1)];
}

function away(): Promise<never> {
  return Promise.reject(new TaskqError("TASKQ_UNAVAILABLE", "away"));
}

describe("backing off", () => {
  test("the pause grows with the outage, within bounds and jittered", () => {
    expect(bounds(0)).toEqual([25, 50]);
    expect(bounds(400)).toEqual([200, 400]);
    expect(bounds(3_600_000)).toEqual([1_000, 2_000]);
  });

  test("what asking again does not cure is told from what it may", () => {
    const passing = ["TASKQ_UNAVAILABLE", "TASKQ_BUSY", "TASKQ_STORAGE"] as const;
    for (const code of passing) expect(isPassing(new TaskqError(code, ""))).toBe(true);
    for (const code of ["TASKQ_CLOSED", "TASKQ_MOVED"] as const) {
      expect(isPassing(new TaskqError(code, ""))).toBe(false);
    }
    expect(isPassing(new Error("a driver's own"))).toBe(true);
  });

  test("an outage is warned of once, and its end is told", async () => {
    const logger = recordingLogger();
    const outage = new Outage(logger, "mail");
    for (let attempts = 0; attempts < 3; attempts += 1) expect(await outage.ask(away)).toBeUndefined();
    expect(outage.connected).toBe(false);
    expect(outage.pause()).toBeGreaterThan(0);
    expect(await outage.ask(async () => 1)).toBe(1);
    expect(outage.connected).toBe(true);
    expect(outage.pause()).toBe(0);
    expect(logger.lines.map(({ level }) => level)).toEqual(["warn", "info"]);
  });

  test("a storage that answers some calls and refuses others is asked less and less, and told of twice", async () => {
    const logger = recordingLogger();
    const outage = new Outage(logger, "mail");
    for (let attempts = 0; attempts < 20; attempts += 1) {
      expect(await outage.ask(away)).toBeUndefined();
      if (attempts < 19) await outage.ask(async () => 1);
    }
    expect(outage.pause()).toBeGreaterThan(900);
    expect(logger.lines.map(({ level }) => level)).toEqual(["warn", "info", "warn"]);
  });
});

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("a consumer outlives an outage of its storage, settles what ended meanwhile, and resumes within 3 s", async () => {
    const storage = faultyStorage(await makeStorage());
    const logger = recordingLogger();
    let runs = 0;
    const work = task("work", async () => {
      runs += 1;
      await sleep(60);
      return runs;
    });
    const beat = periodic("beat", every("10s"), async () => {});
    const queue = closing(createQueue({ storage, tasks: { work, beat }, logger }));
    const first = await queue.enqueue(work.job());
    const consumer = await serve(queue, { lease: "30s" });
    await until(() => runs === 1);
    storage.faults.setAway(true);
    await until(() => !consumer.health().connected);
    await sleep(300);
    expect(consumer.health().state).toBe("running");
    storage.faults.setAway(false);
    expect(await first.wait({ timeout: "3s" })).toBe(1);
    expect(runs).toBe(1);
    await until(() => consumer.health().connected);
    const second = await queue.enqueue(work.job());
    expect(await second.wait({ timeout: "3s" })).toBe(2);
    expect(logger.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  test("periodic tasks are fired again once a storage that was away answers", async () => {
    const storage = faultyStorage(await makeStorage());
    let runs = 0;
    const beat = periodic("beat", every("50ms"), async () => void (runs += 1));
    const queue = closing(createQueue({ storage, tasks: { beat } }));
    const consumer = await serve(queue);
    await until(() => runs > 0);
    storage.faults.setAway(true);
    await until(() => !consumer.health().connected);
    // Its next instant comes meanwhile.
    await sleep(100);
    storage.faults.setAway(false);
    const before = runs;
    await until(() => runs > before + 2);
    expect(consumer.health().connected).toBe(true);
  });

  test("a step whose answer is lost is repeated: nothing runs twice and every event comes once", async () => {
    const storage = faultyStorage(await makeStorage());
    const ran: number[] = [];
    const work = task("work", async (number: number) => {
      ran.push(number);
      // Of the step that settles it, twice.
      storage.faults.inject("step", "lost");
      storage.faults.inject("step", "lost");
    });
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const events = recordEvents(queue);
    storage.faults.inject("step", "lost");
    await queue.enqueueMany([1, 2, 3].map((number) => work.job(number)));
    await serve(queue, { workers: 1, prefetch: 0 });
    await until(() => only(events, "completed").length === 3);
    await sleep(30);
    expect(ran).toEqual([1, 2, 3]);
    expect(only(events, "completed")).toHaveLength(3);
    expect(only(events, "lease-lost")).toHaveLength(0);
    expect(storage.faults.met).toHaveLength(7);
  });

  test("with a tenth of all answers lost or late, every job runs exactly once", async () => {
    const storage = faultyStorage(await makeStorage(), {
      seed: 11,
      refused: 0.05,
      lost: 0.05,
      delayed: 0.05,
      delay: 5,
      methods: ["step", "renew", "reap"],
    });
    const runs = new Map<number, number>();
    const work = task("work", async (number: number) => {
      runs.set(number, (runs.get(number) ?? 0) + 1);
      await sleep(number % 3);
    });
    const queue = closing(createQueue({ storage, tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 300 }, (__, number) => work.job(number)));
    const consumer = await serve(queue, { workers: 10, lease: "10s" });
    await until(async () => (await queue.counts()).completed === 300);
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
    await consumer.stop();
    expect(await queue.counts()).toMatchObject({ completed: 300, active: 0 });
  });

  test("a start waits for a storage that is away, and a stop ends the waiting", async () => {
    const storage = faultyStorage(await makeStorage());
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage, tasks: { work } }));
    storage.faults.setAway(true);
    const starting = serve(queue);
    await sleep(80);
    storage.faults.setAway(false);
    const consumer = await starting;
    expect(consumer.health().state).toBe("running");

    const other = closing(createQueue({ storage, name: "other", tasks: { work } }));
    storage.faults.setAway(true);
    const waiting = createConsumer(other);
    const started = waiting.start();
    await sleep(20);
    const before = performance.now();
    await waiting.stop();
    await started;
    expect(performance.now() - before).toBeLessThan(500);
    expect(waiting.health().state).toBe("stopped");
    storage.faults.setAway(false);
  });

  test("a start that fails at one storage no longer asks another one that is away", async () => {
    const gone = faultyStorage(await makeStorage());
    const closed = await makeStorage();
    await closed[Symbol.asyncDispose]();
    const tasks = { work: task("work", async () => 1) };
    const queues = [
      closing(createQueue({ storage: gone, name: "away", tasks })),
      createQueue({ storage: closed, name: "closed", tasks }),
    ];
    gone.faults.setAway(true);
    await expect(createConsumer(queues).start()).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
    await sleep(50);
    const { length } = gone.faults.met;
    await sleep(500);
    expect(gone.faults.met).toHaveLength(length);
    gone.faults.setAway(false);
  });

  test("a stop settles what ended although the storage is busy for a while", async () => {
    const storage = faultyStorage(await makeStorage());
    const work = task("work", async () => sleep(30));
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const result = await queue.enqueue(work.job());
    const consumer = await serve(queue);
    await until(() => consumer.health().busy === 1);
    const stopped = consumer.stop();
    storage.faults.setAway(true);
    // Longer than a stop at once would ask for.
    await sleep(1_300);
    storage.faults.setAway(false);
    await stopped;
    expect(await result.peek()).toMatchObject({ state: "completed" });
  });

  test("a stop at once does not wait for a storage that is away where nothing is to be settled", async () => {
    const storage = faultyStorage(await makeStorage());
    const logger = recordingLogger();
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage, tasks: { work }, logger }));
    const consumer = await serve(queue);
    storage.faults.setAway(true);
    consumer.stop().catch(() => {});
    await sleep(100);
    const before = performance.now();
    await consumer.stop({ grace: 0 });
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    storage.faults.setAway(false);
  });

  test("a stop at once does not wait for a storage that is slow where nothing is to be settled", async () => {
    const storage = faultyStorage(await makeStorage(), {
      seed: 1,
      delayed: 1,
      delay: 4_000,
      methods: ["step"],
    });
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const consumer = await serve(queue);
    await sleep(50);
    const before = performance.now();
    await consumer.stop({ grace: 0 });
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  test.each([
    { what: "a stop at once", options: {}, stop: { grace: 0 } },
    { what: "a stop of a consumer without a grace", options: { grace: 0 }, stop: {} },
  ])("$what tells of runs that a storage which stays away has not settled", async ({ options, stop }) => {
    const storage = faultyStorage(await makeStorage());
    const logger = recordingLogger();
    const work = task("work", async () => sleep(30));
    const queue = closing(createQueue({ storage, tasks: { work }, logger }));
    await queue.enqueue(work.job());
    const consumer = await serve(queue, options);
    await until(() => consumer.health().busy === 1);
    storage.faults.setAway(true);
    await until(() => consumer.health().busy === 0 && !consumer.health().connected);
    const before = performance.now();
    await consumer.stop(stop);
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(logger.lines.filter(({ level }) => level === "error")).toMatchObject([{ fields: { runs: 1 } }]);
    storage.faults.setAway(false);
  });

  test("a stop at once asks a storage that was away once more, and settles what ended", async () => {
    const storage = faultyStorage(await makeStorage());
    const work = task("work", async () => sleep(30));
    const queue = closing(createQueue({ storage, tasks: { work } }));
    const result = await queue.enqueue(work.job());
    const consumer = await serve(queue);
    await until(() => consumer.health().busy === 1);
    storage.faults.setAway(true);
    // By now it leaves more than a second between two attempts.
    await sleep(2_500);
    expect(consumer.health()).toMatchObject({ busy: 0, connected: false });
    storage.faults.setAway(false);
    await consumer.stop({ grace: 0 });
    expect(await result.peek()).toMatchObject({ state: "completed" });
  });

  test("an error of another kind than an outage stops the consumer, and run rejects with it", async () => {
    const storage = await makeStorage();
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage, tasks: { work }, logger: recordingLogger() }));
    const consumer = await serve(queue);
    const running = consumer.run();
    running.catch(() => {});
    const moved = new TaskqError("TASKQ_MOVED", "the queue lives elsewhere");
    vi.spyOn(storage as unknown as { step: () => Promise<unknown> }, "step").mockRejectedValueOnce(moved);
    await queue.enqueue(work.job());
    await expect(running).rejects.toBe(moved);
    expect(consumer.health().state).toBe("stopped");
    expect(await queue.counts()).toMatchObject({ ready: 1 });
  });
});
