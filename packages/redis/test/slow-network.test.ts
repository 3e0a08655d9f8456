/** Messages and results that take a good part of a call's time to come over the network. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

/** Bytes a second: within the time of a call, two and a half full ones. */
const RATE = 1_250_000;
const TIMEOUT = "2s";
const LARGE = 300_000;
const JOBS = 8;

describe.skipIf(serverBinary() === undefined)("over a slow network", () => {
  test("large jobs are stored, run and settled, each once, on the connections there are", async () => {
    const server = await serverOfTest();
    const proxy = await startProxy(server.port);
    afterTest(() => proxy.close());
    proxy.slowTo(RATE);
    const ran: string[] = [];
    const work = task("work", async (text: string) => {
      ran.push(text.slice(0, 1));
      return text;
    });
    const storage = redisStorage({ url: proxy.url, timeout: TIMEOUT });
    const queue = createQueue({ storage, tasks: { work } });
    afterTest(() => queue.close());
    const letters = Array.from({ length: JOBS }, (_, place) => String.fromCodePoint(97 + place));
    await queue.enqueueMany(letters.map((letter) => work.job(letter.repeat(LARGE))));
    expect(await queue.counts()).toMatchObject({ ready: JOBS });
    const consumer = createConsumer(queue, { workers: JOBS });
    await consumer.start();
    afterTest(() => consumer.stop());
    await expect
      .poll(() => queue.counts(), { timeout: 20_000, interval: 200 })
      .toMatchObject({ completed: JOBS });
    expect(ran.toSorted()).toEqual(letters);
    // Calls and hints.
    expect(proxy.connections).toBe(2);
  });

  test("what falls silent in the midst of an answer is not waited for longer than a call may take", async () => {
    const server = await serverOfTest();
    const proxy = await startProxy(server.port);
    afterTest(() => proxy.close());
    const work = task("work", async (text: string) => text.length);
    const storage = redisStorage({ url: proxy.url, timeout: TIMEOUT });
    const queue = createQueue({ storage, tasks: { work } });
    afterTest(() => queue.close());
    const result = await queue.enqueue(work.job("a".repeat(LARGE)));
    proxy.freezeAll();
    const began = performance.now();
    await expect(queue.enqueue(work.job("b".repeat(3 * LARGE)))).rejects.toMatchObject({
      code: "TASKQ_UNAVAILABLE",
    });
    expect(performance.now() - began).toBeLessThan(3_000);
    proxy.thaw();
    expect(await result.state()).toBe("ready");
  });
});
