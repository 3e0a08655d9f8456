import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer } from "@taskq/consumer";
import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { alone, newJob, opened, QUEUE, step } from "./support/spread.js";

describe.skipIf(serverBinary() === undefined)("leases", () => {
  test.each(["freezes", "is killed"])(
    "leases that ran out while the server %s are renewed, and not taken by others",
    { timeout: 60_000 },
    async (how) => {
      const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
      const runs: string[] = [];
      const work = task("work", { retries: 0 }, async (id: string) => {
        runs.push(id);
        await sleep(7_000);
        return id;
      });
      const lost: string[] = [];
      const start = async () => {
        const queue = createQueue({
          storage: redisStorage({ url: server.url, timeout: "1s" }),
          tasks: { work },
        });
        queue.on("lease-lost", ({ id }) => void lost.push(id));
        const consumer = createConsumer(queue, { lease: "3s" });
        await consumer.start();
        afterTest(async () => {
          await consumer.stop({ grace: 0 });
          await queue.close();
        });
        return queue;
      };
      const [queue] = await Promise.all([start(), start(), start()]);
      const ids = Array.from({ length: 8 }, (_, n) => `job-${n}`);
      const results = await Promise.all(ids.map((id) => queue.enqueue(work.job(id), { id })));
      await expect.poll(() => runs.length).toBe(ids.length);
      if (how === "freezes") server.pause();
      else await server.kill();
      await sleep(4_500);
      if (how === "freezes") server.resume();
      else await server.restart();
      const values = await Promise.all(results.map((result) => result.wait({ timeout: "30s" })));
      expect(values).toEqual(ids);
      expect(runs.toSorted()).toEqual(ids);
      expect(lost).toEqual([]);
    },
  );

  test("who is back first after a silence in which no call failed leaves the others a lease to come back", async () => {
    const server = await serverOfTest();
    const runs: string[] = [];
    const lost: string[] = [];
    const work = task("work", async (id: string) => {
      runs.push(id);
      await sleep(8_000);
      return id;
    });
    const start = async () => {
      const proxy = await startProxy(server.port);
      afterTest(() => proxy.close());
      const queue = createQueue({ storage: redisStorage({ url: proxy.url }), tasks: { work } });
      queue.on("lease-lost", ({ id }) => void lost.push(id));
      const consumer = createConsumer(queue, { lease: "2s", workers: 2, prefetch: 0 });
      await consumer.start();
      afterTest(async () => {
        await consumer.stop({ grace: 0 });
        await queue.close();
      });
      return { proxy, queue };
    };
    const [first, second] = [await start(), await start()];
    const ids = ["a", "b", "c", "d"];
    const results = await Promise.all(ids.map((id) => first.queue.enqueue(work.job(id), { id })));
    await expect.poll(() => runs.length).toBe(ids.length);

    for (const { proxy } of [first, second]) proxy.freezeAll();
    await sleep(3_000);
    for (const { proxy } of [first, second]) {
      proxy.thaw();
      proxy.cut();
      await sleep(1_500);
    }

    const values = await Promise.all(results.map((result) => result.wait({ timeout: "20s" })));
    expect(values).toEqual(ids);
    expect(lost).toEqual([]);
    expect(runs.toSorted()).toEqual(ids);
  });

  test.each([
    ["a reconnect puts", false],
    ["reconnects again and again put", true],
  ])("%s off by a lease, and no longer, what a dead consumer held", async (_what, isCutAgain) => {
    const server = await serverOfTest();
    const proxy = await startProxy(server.port);
    afterTest(() => proxy.close());
    const storage = await opened({ url: proxy.url });
    const lease = 1_000;
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob({ id: "job" }))] });
    await step(storage, { claim: { begin: 1, ahead: 0, lease } });
    await sleep(lease + 10);
    const reap = async () => (await storage.reap({ queue: QUEUE, limit: 10 })).reaped;
    expect(await reap()).toEqual([]);
    await sleep(lease / 2 + 10);
    proxy.cut();
    const since = performance.now();
    expect(await reap()).toEqual([]);
    const cutAndReap = () => {
      if (isCutAgain) proxy.cut();
      return reap();
    };
    await expect.poll(cutAndReap, { timeout: 5_000 }).toMatchObject([{ id: "job" }]);
    const took = performance.now() - since;
    expect(took).toBeGreaterThan(lease * 0.9);
    expect(took).toBeLessThan(lease * 2);
  });
});
