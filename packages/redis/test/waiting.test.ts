/** Waiting for results: by hints that carry them, and without. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WatchHint } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { beforeAll, describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";
import { consumerOf, double, large, processOf, slow, warm } from "./support/processes.js";
import { newPrefix } from "./support/store.js";

let server: RedisServer;
beforeAll(async () => {
  if (serverBinary() === undefined) return;
  server = await startRedisServer();
  return () => server.stop();
});

describe.skipIf(serverBinary() === undefined)("waiting for a result", () => {
  test("in a queue that is watched already reads nothing: the hint carries the result", async () => {
    const prefix = newPrefix();
    const waiting = processOf({ url: server.url, prefix });
    await consumerOf(processOf({ url: server.url, prefix }).queue);
    await warm(waiting);
    const before = waiting.reads();
    const waits = 100;
    for (let n = 0; n < waits; n += 1) {
      expect(await (await waiting.queue.enqueue(double.job({ n }))).wait()).toEqual({ twice: 2 * n });
    }
    // Once a second a step takes the long way, whose hint names the job only.
    expect(waiting.reads() - before).toBeLessThan(waits / 2);
  });

  test("that does not fit into a hint is read", async () => {
    const prefix = newPrefix();
    const waiting = processOf({ url: server.url, prefix });
    await consumerOf(processOf({ url: server.url, prefix }).queue);
    await warm(waiting);
    const before = waiting.reads();
    for (const n of [100, 510, 511, 600, 100_000]) {
      expect(await (await waiting.queue.enqueue(large.job({ n }))).wait()).toBe("x".repeat(n));
    }
    expect(waiting.reads() - before).toBeGreaterThanOrEqual(2);
  });

  test("that was there before anybody waited for it looks at once", async () => {
    const prefix = newPrefix();
    const waiting = processOf({ url: server.url, prefix });
    const other = processOf({ url: server.url, prefix });
    await consumerOf(other.queue);
    await warm(waiting);
    for (let n = 0; n < 5; n += 1) {
      const result = await waiting.queue.enqueue(double.job({ n }));
      expect(await other.queue.result(result.id).wait()).toEqual({ twice: 2 * n });
      // The watch goes on meanwhile, and has heard of it.
      await sleep(20);
      const before = waiting.reads();
      expect(await result.wait()).toEqual({ twice: 2 * n });
      expect(await result.wait()).toEqual({ twice: 2 * n });
      expect(waiting.reads() - before).toBe(2);
    }
  });

  test("in no time answers what is there, and gives up what is not", async () => {
    const prefix = newPrefix();
    const { queue } = processOf({ url: server.url, prefix });
    const later = await queue.enqueue(double.job({ n: 1 }), { delay: "1h" });
    await expect(later.wait({ timeout: 0 })).rejects.toMatchObject({ ids: [later.id], timeoutMs: 0 });
    await consumerOf(processOf({ url: server.url, prefix }).queue);
    const result = await queue.enqueue(double.job({ n: 2 }));
    await result.wait();
    expect(await queue.result(result.id).wait({ timeout: 0 })).toEqual({ twice: 4 });
    await expect(later.wait({ timeout: 0, revokeOnTimeout: true })).rejects.toMatchObject({ timeoutMs: 0 });
    expect(await later.state()).toBe("cancelled");
    const gone = queue.result("unheard-of").wait({ timeout: 0 });
    await expect(gone).rejects.toMatchObject({ code: "TASKQ_STORAGE" });
  });

  test("that begins while the job ends loses none", { timeout: 30_000 }, async () => {
    const prefix = newPrefix();
    const waiting = processOf({ url: server.url, prefix });
    const other = processOf({ url: server.url, prefix });
    await consumerOf(other.queue);
    await warm(waiting);
    const begun = performance.now();
    const values = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const result = await waiting.queue.enqueue(slow.job({ n: n % 7 }));
        await sleep(Math.random() * 10);
        return [await result.wait(), await other.queue.result(result.id).wait()];
      }),
    );
    expect(values).toEqual(Array.from({ length: 200 }, (_, n) => [n % 7, n % 7]));
    // One that waited for a safety look would have taken two seconds for each of several rounds.
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  test.each([
    ["with what they carry", (hint: WatchHint) => hint.kind === "final"],
    ["of whatever kind", () => true],
  ])("whose hints are lost %s gets its result all the same", async (_how, loses) => {
    const prefix = newPrefix();
    const lost = { yes: false };
    const waiting = processOf({ url: server.url, prefix, loses: (hint) => lost.yes && loses(hint) });
    await consumerOf(processOf({ url: server.url, prefix }).queue);
    await warm(waiting);
    lost.yes = true;
    const result = await waiting.queue.enqueue(double.job({ n: 21 }));
    expect(await result.wait({ timeout: "9s" })).toEqual({ twice: 42 });
  });

  test("whose connection is killed again and again gets every result", { timeout: 60_000 }, async () => {
    const prefix = newPrefix();
    const waiting = processOf({ url: server.url, prefix });
    await consumerOf(processOf({ url: server.url, prefix }).queue);
    await warm(waiting);
    const killer = new Redis(server.url);
    afterTest(() => killer.disconnect());
    const killing = { ends: false };
    const kills = (async () => {
      for (let round = 0; !killing.ends; round += 1) {
        await killer.call("CLIENT", "KILL", "TYPE", round % 3 === 2 ? "normal" : "pubsub", "SKIPME", "yes");
        await sleep(20 + Math.random() * 60);
      }
    })();
    try {
      for (let n = 0; n < 500; n += 1) {
        expect(await (await waiting.queue.enqueue(double.job({ n }))).wait()).toEqual({ twice: 2 * n });
      }
    } finally {
      killing.ends = true;
      await kills;
    }
    const counts = await waiting.queue.counts();
    // Each was stored once, however often it was sent.
    expect(counts.completed).toBe(520);
  });
});
