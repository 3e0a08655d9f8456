import { createQueue, task, type Storage } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { describe, expect, test } from "vitest";
import { Outage } from "../src/outage.js";
import { Reaper } from "../src/reaper.js";
import { closing, serve } from "./serving.js";
import { Gate, recordingLogger, sleep, storages, until } from "./support.js";

function block(duration: number): void {
  const end = performance.now() + duration;
  while (performance.now() < end);
}

/** A storage that takes a while to renew, and tells when it has. */
function slowlyRenewing(storage: Storage, renewed: () => void): Storage {
  return new Proxy(storage, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property !== "renew") return (value as () => unknown).bind(target);
      return async (...given: unknown[]) => {
        await sleep(40);
        const answer: unknown = await Reflect.apply(value, target, given);
        renewed();
        return answer;
      };
    },
  });
}

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("runs of a consumer with a shorter lease are taken by one with a long lease as soon", async () => {
    const work = task("work", async () => {});
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueue(work.job());
    const engine = engineOf(queue);
    const outage = new Outage(engine.logger, engine.name);
    const reaper = new Reaper({ engine, lease: 3_600_000, outage, reaped: () => {} });
    // Claimed after it has looked, by one that dies.
    expect((await reaper.tick()).most).toBeLessThanOrEqual(15_000);
    const claim = { begin: 1, ahead: 0, lease: 100 };
    const asked = { queue: engine.name, owner: "dead", tasks: ["work"], settled: [], begun: [] };
    await engine.storage.step({ ...asked, request: 1, claim });
    expect((await reaper.tick()).at).toBeLessThan(Date.now() + 15_000);
  });

  test("nothing is taken while the storage is away, nor for a whole lease after", async () => {
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: {} }));
    const engine = engineOf(queue);
    await engine.open();
    const outage = new Outage(engine.logger, engine.name);
    const reaper = new Reaper({ engine, lease: 60_000, outage, reaped: () => {} });
    outage.failed(new Error("away"));
    expect(await reaper.tick()).toEqual({ most: Infinity });
    outage.answered();
    const rest = await reaper.tick();
    expect(rest.at).toBeUndefined();
    expect(rest.most).toBeGreaterThan(30_000);
  });

  test("a handler whose run was taken is told at the next renewal", async () => {
    const reasons: unknown[] = [];
    const began = new Gate();
    const work = task("work", async (_: void, { signal }) => {
      began.open();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason);
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueue(work.job());
    const consumer = await serve(queue, { lease: 300 });
    await began.opened;
    const { storage, name } = engineOf(queue);
    const ahead = Date.now() + 3_600_000;
    // One whose clock is far ahead finds the lease over.
    for (const now of [ahead, ahead + 300]) await storage.reap({ queue: name, limit: 1, now });
    await until(() => reasons.length > 0);
    expect(reasons).toMatchObject([{ code: "TASKQ_LEASE_LOST" }]);
    await until(() => consumer.health().busy === 0);
  });

  test("a job that runs for longer than the lease is nobody else's, since the lease is renewed", async () => {
    let runs = 0;
    const long = task("long", async () => {
      runs += 1;
      await sleep(900);
      return runs;
    });
    const storage = await makeStorage();
    const queues = [1, 2].map(() => closing(createQueue({ storage, tasks: { long } })));
    for (const queue of queues) await serve(queue, { lease: 200 });
    const result = await queues[0]?.enqueue(long.job());
    expect(await result?.wait({ timeout: "5s" })).toBe(1);
    expect(await result?.info()).toMatchObject({ attempt: 1, crashes: 0 });
  });

  test("one renewal serves all runs of a queue, every third of the lease", async () => {
    let renewals = 0;
    const storage = slowlyRenewing(await makeStorage(), () => (renewals += 1));
    const finish = new Gate();
    const work = task("work", async () => finish.opened);
    const queue = closing(createQueue({ storage, tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 5 }, () => work.job()));
    await serve(queue, { lease: 600 });
    await sleep(1_000);
    expect(renewals).toBeGreaterThanOrEqual(3);
    expect(renewals).toBeLessThanOrEqual(5);
    finish.open();
    await until(async () => (await queue.counts()).completed === 5);
    const before = renewals;
    await sleep(500);
    expect(renewals).toBe(before);
  });

  test("after the event loop was blocked for most of a lease, leases are renewed before anything starts", async () => {
    const steps: string[] = [];
    const storage = slowlyRenewing(await makeStorage(), () => steps.push("renewed"));
    const work = task("work", async (duration: number) => {
      steps.push(`job ${duration}`);
      block(duration);
    });
    const queue = closing(createQueue({ storage, tasks: { work } }));
    await queue.enqueueMany([work.job(450), work.job(1)]);
    await serve(queue, { workers: 1, prefetch: 5, lease: 600 });
    await until(() => steps.includes("job 1"));
    expect(steps).toEqual(["job 450", "renewed", "job 1"]);
  });

  test("a handler that blocks the event loop is named in the log, and the lag shows in the health", async () => {
    const logger = recordingLogger();
    const compute = task("compute", async () => block(1_300));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { compute }, logger }));
    await queue.enqueue(compute.job());
    const consumer = await serve(queue);
    let lag = 0;
    await until(() => {
      lag = Math.max(lag, consumer.health().lagMs);
      return lag > 0 && logger.lines.length > 0;
    });
    expect(lag).toBeGreaterThan(1_000);
    expect(logger.lines).toEqual([
      {
        level: "warn",
        fields: { lagMs: expect.any(Number), tasks: ["compute"] },
        message: expect.stringContaining("blocked"),
      },
    ]);
    await until(() => consumer.health().lagMs < 100);
  });
});
