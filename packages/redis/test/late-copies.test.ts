/** Copies of a step that were given up, and reach the server all the same. */
import type { ClaimedJob, StorageContract } from "@taskq/core/storage";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { alone, newJob, opened, QUEUE } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const TIMEOUT = 1_000;

async function setUp() {
  const server = await serverOfTest();
  const proxy = await startProxy(server.port);
  afterTest(() => proxy.close());
  const keyPrefix = newPrefix();
  const consumer = await opened({ url: proxy.url, keyPrefix, timeout: TIMEOUT });
  const producer = await opened({ url: server.url, keyPrefix });
  const enqueue = () =>
    producer.enqueue({ queue: QUEUE, flows: Array.from({ length: 5 }, () => alone(newJob())) });
  const counts = async () => (await producer.counts({ queue: QUEUE }))["*"];
  return { proxy, consumer, enqueue, counts };
}

/** @param others tasks that it knows too: where those are many, the call goes with the text of its script */
async function claim(storage: StorageContract, request: number, others = 0): Promise<readonly ClaimedJob[]> {
  const tasks = ["work", ...Array.from({ length: others }, (_, place) => `${place}`.padEnd(200, "x"))];
  const step = { queue: QUEUE, owner: "one", request, tasks, settled: [], begun: [] };
  return (await storage.step({ ...step, claim: { begin: 5, ahead: 0, lease: 60_000 } })).claimed;
}

describe.skipIf(serverBinary() === undefined)("a late copy of a step", () => {
  test.each([
    ["short", false, 0],
    ["long", true, 0],
    ["short (large, so with the text of its script)", false, 1_000],
  ] as const)(
    "that went the %s way claims nothing once another copy was answered",
    async (_way, isLong, others) => {
      const { proxy, consumer, enqueue, counts } = await setUp();
      if (isLong)
        await consumer.control({
          queue: QUEUE,
          task: "other",
          change: { kind: "revoke", once: false, until: undefined },
        });
      // Scripts become known, and whether a step goes the short way.
      for (const request of [1, 2]) expect(await claim(consumer, request)).toEqual([]);
      proxy.freeze();
      expect(await claim(consumer, 3, others)).toEqual([]);
      await enqueue();
      proxy.deliver();
      await sleep(100);
      expect(await counts()).toMatchObject({ ready: 5, active: 0 });
      expect(await claim(consumer, 4)).toHaveLength(5);
    },
  );

  test("claims nothing either if its call was not answered in time, and the step came again", async () => {
    const { proxy, consumer, enqueue, counts } = await setUp();
    for (const request of [1, 2]) await claim(consumer, request);
    proxy.freezeAll();
    expect((await refusalOf(claim(consumer, 3))).code).toBe("TASKQ_UNAVAILABLE");
    proxy.thaw();
    // It may take a while until a connection passes again.
    for (let answered = false; !answered;) {
      answered = await claim(consumer, 3).then(
        (claimed) => claimed.length === 0,
        () => false,
      );
    }
    await enqueue();
    proxy.deliver();
    await sleep(100);
    expect(await counts()).toMatchObject({ ready: 5, active: 0 });
    expect(await claim(consumer, 4)).toHaveLength(5);
  });

  test("that comes first is answered to the one that comes after it", async () => {
    const { proxy, consumer, enqueue, counts } = await setUp();
    for (const request of [1, 2]) await claim(consumer, request);
    await enqueue();
    proxy.freeze();
    const claiming = claim(consumer, 3);
    await sleep(TIMEOUT / 5);
    proxy.deliver();
    await sleep(TIMEOUT / 10);
    expect(await counts()).toMatchObject({ ready: 0, active: 5 });
    expect(await claiming).toHaveLength(5);
  });
});
