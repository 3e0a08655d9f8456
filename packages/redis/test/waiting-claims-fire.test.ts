/** Jobs are handed to consumers that come and go while connections break, replies and messages get lost, and somebody hears all channels. */
import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer } from "@taskq/consumer";
import { createQueue, task } from "@taskq/core";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { seededBelow } from "./support/seeded.js";
import { newPrefix } from "./support/store.js";

/** How long jobs are stored, and how long all may take to run then: far less than a lease, in milliseconds. */
const [FIRE, PATIENCE] = [4_000, 8_000];

describe.skipIf(serverBinary() === undefined)("jobs that are handed to consumers under fire", () => {
  const own = ownServer();

  test.each([
    ["", 1, "nothing"],
    [", where somebody hears all channels", 2, "*"],
  ])("run once each, and none waits for a lease%s", async (_, seed, hears) => {
    const below = seededBelow(seed);
    const proxy = await startProxy(own.server.port);
    afterTest(() => proxy.close());
    const watcher = new Redis(own.server.url);
    afterTest(() => watcher.disconnect());
    await watcher.psubscribe(hears);
    const keyPrefix = newPrefix();
    const runs = new Map<number, number>();
    const count = task("count", async (n: number) => {
      runs.set(n, (runs.get(n) ?? 0) + 1);
      await sleep(below(15));
    });
    const make = (url: string) =>
      createQueue({ storage: redisStorage({ url, keyPrefix }), tasks: { count } });
    let lost = 0;
    const consume = async (): Promise<() => Promise<void>> => {
      const queue = make(proxy.url);
      queue.on("lease-lost", () => void (lost += 1));
      const consumer = createConsumer(queue, { workers: 1 + below(4), prefetch: below(2) * 5 });
      await consumer.start();
      return async () => {
        await consumer.stop();
        await queue.close();
      };
    };
    const consumers = [await consume(), await consume()];
    const producer = make(own.server.url);
    afterTest(() => producer.close());

    const over = performance.now() + FIRE;
    let stored = 0;
    const producing = (async () => {
      for (; performance.now() < over; stored += 1) {
        await producer.enqueue(count.job(stored));
        await sleep(below(25));
      }
    })();
    while (performance.now() < over) {
      await sleep(below(250));
      if (below(2) === 0) {
        consumers.push(await consume());
        await consumers.shift()?.();
      } else {
        // What the server says now is heard by nobody; what it is told may come late.
        proxy.freeze();
        await sleep(below(120));
        if (below(2) === 0) proxy.deliver();
        proxy.cut();
      }
    }
    await producing;

    await expect.poll(() => runs.size, { timeout: PATIENCE }).toBe(stored);
    await Promise.all(consumers.map((stop) => stop()));
    expect([...runs.values()].filter((times) => times > 1)).toEqual([]);
    expect(lost).toBe(0);
    expect(await producer.counts()).toMatchObject({ completed: stored, active: 0, ready: 0 });
  });
});
