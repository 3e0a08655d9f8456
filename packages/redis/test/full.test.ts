import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer, drain } from "@taskq/consumer";
import { createQueue, every, moveQueue, task, TaskqError, type QueueOptions } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const SOUND = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"];

/** Bytes that a server may use at the most; 0: as many as it likes. */
function limit(port: number, bytes: number): Promise<string> {
  return ask(port, [["CONFIG", "SET", "maxmemory", String(bytes)]]);
}

async function usedBy(port: number): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await ask(port, [["INFO", "memory"]]))?.[1]);
}

/** Until it is opened, the handlers that have begun wait. */
class Gate {
  open: () => void = () => {};
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

async function full(call: Promise<unknown>): Promise<void> {
  await expect(call).rejects.toMatchObject({
    code: "TASKQ_STORAGE",
    message: expect.stringContaining("raise maxmemory"),
  });
}

/** What these have in common: a queue on a server of its own, closed after the test. */
async function served(options: { readonly partitions?: number; readonly keep?: QueueOptions["keep"] } = {}) {
  const server = await serverOfTest({ arguments: SOUND });
  const { partitions = 1, keep = { completed: { for: "1h" } } } = options;
  const hold = new Gate();
  const runs: string[] = [];
  const held = task("held", async (name: string, { progress }) => {
    runs.push(name);
    await hold.opened;
    await progress(name);
    return name;
  });
  const quick = task("quick", async (name: string) => {
    runs.push(name);
    return name;
  });
  const warnings: string[] = [];
  const warn = (_: unknown, text?: string): void => void warnings.push(text ?? "");
  const logger = { debug() {}, info() {}, error() {}, warn };
  const open = (kept = keep) => {
    const storage = redisStorage({ url: server.url, partitions });
    const queue = createQueue({ storage, keep: kept, tasks: { held, quick }, logger });
    afterTest(() => queue.close());
    return queue;
  };
  return { port: server.port, hold, runs, held, quick, warnings, queue: open(), open };
}

describe.skipIf(serverBinary() === undefined)("a server whose memory is full", () => {
  test.each([1, 3])(
    "takes what runs have come to, and hands out nothing more until there is room (partitions: %i)",
    async (partitions) => {
      const { port, hold, runs, held, quick, warnings, queue } = await served({ partitions });
      const consumer = createConsumer(queue, { workers: 2, prefetch: 0 });
      afterTest(() => consumer.stop());
      const begun = await queue.enqueueMany([held.job("a"), held.job("b")]);
      await consumer.start();
      await expect.poll(() => runs.length).toBe(2);
      const waiting = await queue.enqueueMany(["c", "d", "e"].map((name) => quick.job(name)));
      await limit(port, 1);
      await full(queue.enqueue(quick.job("f")));
      hold.open();
      expect(await Promise.all(begun.map((result) => result.wait({ timeout: "5s" })))).toEqual(["a", "b"]);
      await sleep(1_500);
      expect(warnings).toEqual([expect.stringContaining("no room")]);
      expect(await queue.counts()).toMatchObject({ completed: 2, ready: 3, active: 0 });
      expect(consumer.health().connected).toBe(true);
      await limit(port, 0);
      await Promise.all(waiting.map((result) => result.wait({ timeout: "5s" })));
      expect(runs.toSorted()).toEqual(["a", "b", "c", "d", "e"]);
    },
  );

  test("is left by a consumer that stops, without a run that is to come again", async () => {
    const { port, hold, runs, held, queue } = await served();
    const consumer = createConsumer(queue, { workers: 1, prefetch: 5 });
    await queue.enqueueMany(["a", "b", "c"].map((name) => held.job(name)));
    await consumer.start();
    await expect.poll(() => runs.length).toBe(1);
    await limit(port, 1);
    setTimeout(() => hold.open(), 100);
    const began = performance.now();
    await consumer.stop();
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(await queue.counts()).toMatchObject({ completed: 1, ready: 2, active: 0 });
  });

  test("keeps leases, and gives back what consumers held that are gone", { timeout: 60_000 }, async () => {
    const { port, hold, runs, held, queue, open } = await served();
    const consumer = createConsumer(queue, { workers: 1, prefetch: 0, lease: "1s" });
    const [kept] = await queue.enqueueMany([held.job("kept")]);
    await consumer.start();
    await expect.poll(() => runs.length).toBe(1);
    const other = open();
    const frozen = createConsumer(other, { workers: 1, lease: "1s", periodic: false });
    await limit(port, 1);
    await frozen.start();
    // For two leases and more.
    await sleep(3_500);
    hold.open();
    expect(await kept?.wait({ timeout: "5s" })).toBe("kept");
    expect(runs).toEqual(["kept"]);
    await Promise.all([consumer.stop(), frozen.stop()]);
  });

  test("has room again, and goes on, once finished jobs need not be kept", { timeout: 60_000 }, async () => {
    const { port, runs, quick, queue } = await served({ keep: { completed: { for: "3s" } } });
    const consumer = createConsumer(queue, { workers: 10 });
    afterTest(() => consumer.stop());
    await consumer.start();
    const text = "x".repeat(2_000);
    const done = await queue.enqueueMany(Array.from({ length: 2_000 }, (_, n) => quick.job(`${text}${n}`)));
    await Promise.all(done.map((result) => result.wait({ timeout: "20s" })));
    await queue.pause();
    const last = await queue.enqueue(quick.job("last"));
    await limit(port, (await usedBy(port)) - 1_000_000);
    await queue.resume();
    await full(queue.enqueue(quick.job("more")));
    expect(await last.wait({ timeout: "20s" })).toBe("last");
    expect(runs).toHaveLength(2_001);
    await expect.poll(() => queue.enqueue(quick.job("more")), { timeout: 10_000 }).toBeDefined();
  });

  test("does what makes room: fewer are kept, values, schedules and jobs go, and nothing else is taken", async () => {
    const { port, quick, queue, open } = await served();
    await queue.enqueueMany(Array.from({ length: 50 }, (_, n) => quick.job(String(n))));
    await queue.values.set("key", "value");
    await queue.schedules.upsert("each", { schedule: every("1h"), job: quick.job("each") });
    const one = await queue.enqueue(quick.job("one"));
    await limit(port, 1);
    await full(queue.values.set("key", "other"));
    await full(queue.schedules.upsert("other", { schedule: every("1h"), job: quick.job("each") }));
    expect(await queue.values.delete("key")).toBe(true);
    await queue.schedules.remove("each");
    await queue.pause(quick);
    await queue.resume(quick);
    expect(await one.revoke()).toBe(true);
    await expect(one.wait()).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
    const fewer = open({ completed: { for: 0 } });
    expect(await fewer.counts()).toMatchObject({ ready: 50 });
    await queue.flush({ confirm: "default" });
    expect(await queue.counts()).toMatchObject({ ready: 0, cancelled: 0 });
    await limit(port, 0);
    expect(await queue.values.get("key")).toBeUndefined();
  });

  test("is left for another place", async () => {
    const { port, quick, queue } = await served();
    await queue.enqueueMany(["a", "b", "c"].map((name) => quick.job(name)));
    const to = createQueue({ storage: memoryStorage(), tasks: { quick } });
    afterTest(() => to.close());
    await limit(port, 1);
    await moveQueue(queue, to);
    expect(await to.counts()).toMatchObject({ ready: 3 });
    await queue.flush({ confirm: "default" });
    expect(await queue.counts()).toMatchObject({ ready: 0 });
  });

  test("is not taken for one that has nothing left to do", async () => {
    const { port, quick, queue } = await served();
    await queue.enqueue(quick.job("a"));
    await limit(port, 1);
    await full(drain(queue));
    await limit(port, 0);
    expect(await drain(queue)).toMatchObject({ completed: 1 });
  });

  test("gives a lock back, and keeps one that is held", async () => {
    const { port, queue } = await served();
    const lock = await queue.lock("name", { ttl: "1s" }).acquire();
    await limit(port, 1);
    await sleep(1_500);
    expect(lock.signal.aborted).toBe(false);
    await lock[Symbol.asyncDispose]();
    const again = await queue.lock("name", { ttl: "1s", onBusy: "fail" }).acquire();
    await again[Symbol.asyncDispose]();
  });

  test("refuses what a run stores by itself, and takes what is stored with its end", async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const hold = new Gate();
    const child = task("child", async (name: string) => name);
    const refusals: unknown[] = [];
    const parent = task("parent", async (_: undefined, { enqueue }) => {
      await hold.opened;
      await enqueue(child.job("alone")).catch((error: unknown) => refusals.push(error));
      await enqueue(child.job("joined"), { join: true });
    });
    const queue = createQueue({ storage: redisStorage({ url: server.url }), tasks: { parent, child } });
    const consumer = createConsumer(queue, { workers: 1 });
    afterTest(async () => {
      await consumer.stop();
      await queue.close();
    });
    await consumer.start();
    const result = await queue.enqueue(parent.job(undefined));
    await expect.poll(() => result.state()).toBe("active");
    await limit(server.port, 1);
    hold.open();
    await result.wait({ timeout: "5s" });
    expect(refusals).toEqual([expect.any(TaskqError)]);
    expect(await queue.counts()).toMatchObject({ completed: 1, ready: 1 });
    await limit(server.port, 0);
    await expect.poll(() => queue.counts(), { timeout: 5_000 }).toMatchObject({ completed: 2 });
  });
});
