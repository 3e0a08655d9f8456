import { Cancel, createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { Gate, sleep, storages, until } from "./support.js";

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("jobs claimed ahead of a handler that runs long are handed back, and another consumer runs them", async () => {
    const [begun, finish] = [new Gate(), new Gate()];
    const ran: number[] = [];
    const work = task("work", async (number: number) => {
      if (number === 0) {
        begun.open();
        await finish.opened;
      }
      ran.push(number);
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueueMany([0, 1, 2, 3, 4].map((number) => work.job(number)));
    const first = await serve(queue, { workers: 1, prefetch: 10 });
    await begun.opened;
    expect(await queue.counts()).toMatchObject({ active: 5, ready: 0 });
    await until(async () => (await queue.counts()).ready === 4);
    await serve(queue, { workers: 1 });
    await until(() => ran.length === 4);
    expect(ran).toEqual([1, 2, 3, 4]);
    expect(first.health().busy).toBe(1);
    finish.open();
    await until(() => ran.length === 5);
  });

  test("a run that was claimed ahead and cancels its job is among its attempts, one that never began is not", async () => {
    const turn = task("turn", async (number: number) => {
      if (number % 2 === 1) throw new Cancel("odd");
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { turn } }));
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    const results = await queue.enqueueMany(numbers.map((number) => turn.job(number)));
    await serve(queue, { workers: 1, prefetch: 20 });
    await until(async () => (await queue.counts()).completed === 10);
    for (const result of results) {
      await until(async () => (await result.peek()) !== undefined);
      const { attempt, attempts } = (await result.info())!;
      expect([attempt, attempts.map((one) => one.attempt)]).toEqual([1, [1]]);
      expect(attempts[0]?.startedAt.getTime()).toBeGreaterThan(0);
    }
    await queue.pause();
    const waiting = await queue.enqueue(turn.job(1));
    await waiting.revoke();
    expect((await waiting.info())?.attempts).toEqual([]);
  });

  test("adaptive prefetch holds nothing behind handlers that take long", async () => {
    let active = 0;
    const work = task("work", async () => sleep(30));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 12 }, () => work.job()));
    await serve(queue, { workers: 2 });
    await until(async () => {
      const counts = await queue.counts();
      active = Math.max(active, counts.active);
      return counts.completed === 12;
    });
    expect(active).toBe(2);
  });

  test("jobs that follow each other leave timers their turn", async () => {
    const work = task("work", async () => {
      const end = performance.now() + 4;
      while (performance.now() < end);
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 300 }, () => work.job()));
    let [longest, last] = [0, performance.now()];
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const from = performance.now();
    await serve(queue, { workers: 1, prefetch: 100 });
    await until(async () => (await queue.counts()).completed === 300);
    clearInterval(timer);
    // All of them take 1.2 seconds, more on a busy machine.
    expect(longest).toBeLessThan((performance.now() - from) / 2);
  });

  test("jobs under a lock, and jobs to be run at most once, are not claimed ahead", async () => {
    const begun = new Gate();
    const hold = task("hold", { priority: 1 }, async (_: void, { signal }) => {
      begun.open();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const once = task("once", { delivery: "at-most-once" }, async () => {});
    const locked = task("locked", { lock: "name" }, async () => {});
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { hold, once, locked } }));
    await queue.enqueueMany([hold.job(), once.job(), locked.job()]);
    await serve(queue, { workers: 1, prefetch: 10 });
    await begun.opened;
    expect(await queue.counts()).toMatchObject({ active: 1, ready: 2 });
  });

  test("the storage is told that a run which was claimed ahead has begun", async () => {
    const finish = new Gate();
    const work = task("work", async (number: number) => {
      if (number === 1) await finish.opened;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const [, second] = await queue.enqueueMany([work.job(0), work.job(1)]);
    await serve(queue, { workers: 1, prefetch: 5 });
    // What never began is no attempt, and where its consumer dies, no crash.
    await until(async () => (await second?.info())?.attempts.length === 1);
    expect(await second?.state()).toBe("active");
    finish.open();
    await until(async () => (await second?.state()) === "completed");
  });

  test("jobs claimed ahead go back when their queue is paused, and begin once it is resumed", async () => {
    let ran = 0;
    const work = task("work", async () => {
      await sleep(5);
      ran += 1;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 60 }, () => work.job()));
    await serve(queue, { workers: 1, prefetch: 60 });
    await until(() => ran > 2);
    await queue.pause();
    await until(async () => (await queue.counts()).active <= 1);
    await until(async () => (await queue.counts()).active === 0);
    expect(ran).toBeLessThan(40);
    await queue.resume();
    await until(() => ran === 60);
  });

  test("a job claimed ahead and revoked meanwhile never runs, and ends cancelled", async () => {
    const [begun, finish] = [new Gate(), new Gate()];
    const ran: number[] = [];
    const work = task("work", async (number: number) => {
      ran.push(number);
      begun.open();
      await finish.opened;
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { work } }));
    const [, second] = await queue.enqueueMany([work.job(1), work.job(2)]);
    await serve(queue, { workers: 1, prefetch: 10 });
    await begun.opened;
    await second?.revoke();
    await expect(second?.wait({ timeout: "5s" })).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
    finish.open();
    await until(async () => (await queue.counts()).completed === 1);
    expect(ran).toEqual([1]);
  });
});
