import { Cancel, createQueue, every, exponential, periodic, task, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { virtualClock } from "@taskq/core/testing";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { drain } from "../src/index.js";
import { closing } from "./serving.js";
import { storages } from "./support.js";

const NOTHING = { completed: 0, failed: 0, retried: 0, cancelled: 0 };

function later(milliseconds: number): Date {
  return new Date(Date.now() + milliseconds);
}

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("without until, what is due is executed, and what becomes due through it", async () => {
    const order: string[] = [];
    const inner = task("inner", async () => void order.push("inner"));
    const outer = task("outer", async (_: void, { enqueue }) => {
      order.push("outer");
      await enqueue(inner.job());
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { inner, outer } }));
    await queue.enqueue(outer.job());
    await queue.enqueue(inner.job(), { delay: "1h" });
    expect(await drain(queue)).toEqual({ ...NOTHING, completed: 2 });
    expect(order).toEqual(["outer", "inner"]);
    expect(await drain(queue)).toEqual(NOTHING);
    expect(await queue.counts()).toMatchObject({ scheduled: 1 });
  });

  test("with until, retries take no real time and follow their schedule", async () => {
    const instants: number[] = [];
    const options = { retries: 3, backoff: exponential({ base: "1m" }) };
    const flaky = task("flaky", options, async (_: void, { scheduledAt }) => {
      instants.push(scheduledAt.getTime());
      throw new Error("no luck");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { flaky } }));
    const result = await queue.enqueue(flaky.job());
    const before = performance.now();
    // The attempts at 0, 1 and 3 minutes; the last one is due at 7.
    expect(await drain(queue, { until: later(4 * 60_000) })).toEqual({ ...NOTHING, retried: 3 });
    expect(await drain(queue, { until: later(24 * 3_600_000) })).toEqual({ ...NOTHING, failed: 1 });
    expect(performance.now() - before).toBeLessThan(2_000);
    const pauses = instants.slice(1).map((instant, index) => instant - (instants[index] ?? 0));
    expect(pauses).toEqual([expect.closeTo(60_000, -3), 120_000, 240_000]);
    expect(await result.peek()).toMatchObject({ state: "failed" });
  });

  test("all missed instants that are asked for run, the latest in order, and not at once", async () => {
    for (const overlap of ["skip", "queue"] as const) {
      const clock = virtualClock(new Date("2030-01-01T00:00:30Z"));
      const told: string[] = [];
      const beat = periodic(
        overlap,
        every("1m"),
        { misfire: { all: 3 }, overlap },
        async ({ scheduledAt }) => {
          told.push("begun");
          await new Promise(setImmediate);
          told.push(scheduledAt.toISOString().slice(14, 16));
        },
      );
      const queue = closing(createQueue({ storage: await makeStorage(), tasks: { beat }, clock }));
      await drain(queue);
      await clock.advance("10m");
      await drain(queue);
      expect(told).toEqual(["begun", "08", "begun", "09", "begun", "10"]);
    }
  });

  test("a revoke aborts the signal of a handler that runs", async () => {
    const begun = new EventTarget();
    const begins = once(begun, "begun");
    const waiting = task("waiting", async (_: void, { signal }) => {
      begun.dispatchEvent(new Event("begun"));
      await once(signal, "abort");
      throw signal.reason;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { waiting } }));
    const result = await queue.enqueue(waiting.job());
    const drained = drain(queue);
    await begins;
    expect(await result.revoke()).toBe(true);
    expect(await drained).toEqual({ ...NOTHING, cancelled: 1 });
    expect(await result.peek()).toEqual({ state: "cancelled", reason: "revoked" });
  });

  test("with until, delayed jobs run in the order of their instants", async () => {
    const order: number[] = [];
    const note = task("note", async (hour: number) => void order.push(hour));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { note } }));
    for (const hour of [3, 1, 2, 30]) await queue.enqueue(note.job(hour), { delay: `${hour}h` });
    expect(await drain(queue, { until: later(24 * 3_600_000) })).toMatchObject({ completed: 3 });
    expect(order).toEqual([1, 2, 3]);
  });

  test("with until, periodic tasks fire at each of their instants", async () => {
    const instants: Date[] = [];
    const beat = periodic("beat", every("1h"), async ({ scheduledAt }) => void instants.push(scheduledAt));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { beat } }));
    await drain(queue, { until: later(5 * 3_600_000) });
    expect(instants).toHaveLength(5);
    const gaps = instants
      .slice(1)
      .map((instant, index) => instant.getTime() - (instants[index]?.getTime() ?? 0));
    expect(gaps).toEqual([3_600_000, 3_600_000, 3_600_000, 3_600_000]);
  });

  test("with until, a schedule that a handler makes or resumes fires from then on", async () => {
    const ran: string[] = [];
    const beat = task("beat", async () => void ran.push("beat"));
    const held = periodic("held", every("1m"), async () => void ran.push("held"));
    const plan = task("plan", async () => {
      await queue.schedules.upsert("beats", { schedule: every("1m"), job: beat.job() });
      await queue.schedules.resume("held");
    });
    const queue: Queue<"beat" | "held" | "plan"> = closing(
      createQueue({ storage: await makeStorage(), tasks: { beat, held, plan } }),
    );
    await queue.schedules.pause("held");
    await queue.enqueue(plan.job(), { delay: "10s" });
    await drain(queue, { until: later(5 * 60_000) });
    expect(ran.filter((name) => name === "beat").length).toBeGreaterThanOrEqual(4);
    expect(ran.filter((name) => name === "held").length).toBeGreaterThanOrEqual(4);
  });

  test("with until, a handler gets a lock whose holder has died, once its time to live is over", async () => {
    const locked = task("locked", async (_: void, { lock }) => lock("file").run(() => {}));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { locked } }));
    await queue.enqueue(locked.job());
    const { storage, name } = engineOf(queue);
    const held = {
      queue: name,
      kind: "acquire",
      name: "file",
      ticket: "dead",
      owner: "dead",
      max: 1,
    } as const;
    expect(await storage.keys({ ...held, ttl: 500, wait: undefined })).toMatchObject({ status: "held" });
    expect(await drain(queue, { until: later(10_000) })).toEqual({ ...NOTHING, completed: 1 });
  });

  test("with until, a handler that waits for a limit takes no real time, and keeps time from going back", async () => {
    const took: number[] = [];
    const order: string[] = [];
    const call = task("call", async (_: void, { limit }) => {
      for (let calls = 0; calls < 3; calls += 1) {
        await limit("api", { max: 1, per: "1h" }).acquire();
        took.push(engineOf(queue).time.now());
      }
      order.push("call");
    });
    const note = task("note", async (_: void, { enqueuedAt }) => {
      order.push("note");
      expect(engineOf(queue).time.now()).toBeGreaterThanOrEqual(enqueuedAt.getTime() + 2 * 3_600_000);
    });
    const queue: Queue<"call" | "note"> = closing(
      createQueue({ storage: await makeStorage(), tasks: { call, note } }),
    );
    await queue.enqueue(call.job());
    await queue.enqueue(note.job(), { delay: "30m" });
    expect(await drain(queue, { until: later(3_600_000) })).toEqual({ ...NOTHING, completed: 2 });
    expect(order).toEqual(["call", "note"]);
    const [first = 0, second = 0, third = 0] = took;
    expect(second - first).toBeGreaterThanOrEqual(3_600_000);
    expect(third - second).toBeGreaterThanOrEqual(3_600_000);
  });

  test("queues that feed each other are run until none has anything left", async () => {
    const storage = await makeStorage();
    const ping = task("ping", async (left: number) => {
      if (left > 0) await back.enqueue(pong.job(left - 1), { delay: "1m" });
    });
    const pong = task("pong", async (left: number) => {
      if (left > 0) await forth.enqueue(ping.job(left - 1));
    });
    const forth = closing(createQueue({ storage, name: "forth", tasks: { ping } }));
    const back = closing(createQueue({ storage, name: "back", tasks: { pong } }));
    await forth.enqueue(ping.job(5));
    expect(await drain([forth, back])).toEqual({ ...NOTHING, completed: 1 });
    expect(await drain([forth, back], { until: later(3_600_000) })).toEqual({ ...NOTHING, completed: 5 });
  });

  test("what is cancelled is counted, and the queue's time is the real one afterwards", async () => {
    const stop = task("stop", async () => {
      throw new Cancel("enough");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { stop } }));
    await queue.enqueue(stop.job(), { delay: "2h" });
    expect(await drain(queue, { until: later(24 * 3_600_000) })).toEqual({ ...NOTHING, cancelled: 1 });
    const result = await queue.enqueue(stop.job());
    const { enqueuedAt } = (await result.info()) ?? {};
    expect(Math.abs((enqueuedAt?.getTime() ?? 0) - Date.now())).toBeLessThan(2_000);
  });
});

test.each(["drain", "immediate"])(
  "a process waits for the timeout of a handler that waits for nothing else: %s",
  async (mode) => {
    const script = fileURLToPath(new URL("./fixtures/timing-out.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, mode], { timeout: 20_000 });
    expect(stdout.trim()).toBe("TASKQ_TIMEOUT");
  },
);
