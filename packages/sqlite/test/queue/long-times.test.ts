// Times longer than a timer of Node takes (24.8 days), and clocks that are set while somebody waits.
import { asCompleted, createQueue, task, type Clock, type Queue } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { advance, virtualClock } from "@taskq/core/testing";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { afterTest } from "../support.js";
import { immediateQueue, storages } from "./storages.js";

afterEach(() => {
  vi.restoreAllMocks();
});

const HOUR = 3_600_000;
const work = task("work", async () => "done");

describe.each(storages)("on $name", ({ make }) => {
  function queueOf(clock?: Clock, storage = make()): Queue<"work"> {
    const queue = createQueue({ storage, tasks: { work }, ...(clock === undefined ? {} : { clock }) });
    afterTest(() => queue.close());
    return queue;
  }

  test("asCompleted and wait go on for more than a timer takes", async () => {
    const queue = queueOf();
    const result = await queue.enqueue(work.job());
    const stop = new AbortController();
    const asked = new Error("the test has seen enough");
    const options = { timeout: "30d", signal: stop.signal } as const;
    const all = (async () => {
      for await (const _ of asCompleted([result], options)) throw new Error("nobody runs it");
    })();
    const outcomes = Promise.allSettled([all, result.wait(options)]);
    await sleep(100);
    stop.abort(asked);
    expect((await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason)).toEqual([
      asked,
      asked,
    ]);
  });

  test.each(["1965-01-01", "2200-01-01", "9998-01-01"])(
    "jobs of a clock that shows %s are stored, run and found",
    async (date) => {
      const clock = virtualClock(new Date(date));
      const queue = immediateQueue(make(), { work }, { clock });
      const results = await queue.enqueueMany([work.job(), work.job()]);
      results.push(await queue.enqueue(work.job(), { delay: "1m" }));
      await advance(queue, "1h");
      for (const result of results) expect(await result.wait()).toBe("done");
      expect((await results[0]?.info())?.enqueuedAt).toEqual(new Date(date));
      expect((await queue.counts()).completed).toBe(3);
    },
  );

  test("a lock that is held for longer than a timer takes is not renewed all the time", async () => {
    const storage = make();
    const keys = vi.spyOn(storage as unknown as StorageContract, "keys");
    await using _held = await queueOf(undefined, storage).lock("door", { ttl: "300d" }).acquire();
    await sleep(150);
    expect(keys.mock.calls.filter(([{ kind }]) => kind === "renew")).toEqual([]);
  });

  test("waiting for a lock takes no longer than asked for when the clock is set back", async () => {
    const queue = queueOf();
    await using _held = await queue.lock("door").acquire();
    const waiting = queue.lock("door", { timeout: 300 }).acquire();
    const { now } = Date;
    vi.spyOn(Date, "now").mockImplementation(() => now.call(Date) - HOUR);
    await expect(waiting).rejects.toMatchObject({ code: "TASKQ_LOCKED" });
  });

  test("whoever waits for a limit goes on when the clock is set back", async () => {
    let ahead = HOUR;
    const now = (): number => Date.now() + ahead;
    const queue = queueOf({
      now,
      until: async (instant) => {
        while (now() < instant) await sleep(5);
      },
    });
    const limit = queue.limit("starts", { max: 1, per: "200ms" });
    await limit.acquire();
    const second = limit.acquire();
    await sleep(20);
    ahead = 0;
    await expect(second).resolves.toBeUndefined();
  });
});
