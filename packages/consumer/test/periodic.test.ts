import { createQueue, cron, every, periodic, task, type Clock, type Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { describe, expect, test, vi } from "vitest";
import { closing, serve } from "./serving.js";
import { sleep, storages, until } from "./support.js";

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("two consumers fire each instant of a periodic task once", async () => {
    const storage = await makeStorage();
    const instants: number[] = [];
    // A busy machine may come late to several instants at once.
    const late = { misfire: { all: 100 }, overlap: "allow" } as const;
    const beat = periodic("beat", every("200ms"), late, async ({ scheduledAt }) => {
      instants.push(scheduledAt.getTime());
    });
    const queues = [1, 2].map(() => closing(createQueue({ storage, tasks: { beat } })));
    for (const queue of queues) await serve(queue);
    await until(() => instants.length >= 5);
    expect(new Set(instants).size).toBe(instants.length);
    const sorted = instants.toSorted((a, b) => a - b);
    expect((sorted.at(-1) ?? 0) - (sorted[0] ?? 0)).toBe((instants.length - 1) * 200);
  });

  test("a periodic task is fired at its instant", async () => {
    const lateness: number[] = [];
    const beat = periodic("beat", every("300ms"), async ({ scheduledAt }) => {
      lateness.push(Date.now() - scheduledAt.getTime());
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { beat } }));
    await serve(queue);
    // What else the machine does only adds to it.
    await until(() => lateness.length > 0 && (lateness.length >= 10 || Math.min(...lateness) < 100));
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
    expect(Math.min(...lateness)).toBeLessThan(100);
  });

  test("an instant that has not come yet by the clock of the storage is not asked for all the time", async () => {
    const storage = await makeStorage();
    // As where it has a server whose clock is behind the one that it tells.
    const clock: Clock = {
      now: () => Date.now() + 60_000,
      until: async (instant) => {
        while (clock.now() < instant) await sleep(1);
      },
    };
    const late = new Proxy(storage as unknown as StorageContract, {
      get: (target, name) => {
        if (name === "clock") return clock;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const tick = vi.spyOn(storage as unknown as StorageContract, "tick");
    const beat = periodic("beat", every("10s"), async () => {});
    const queue = closing(createQueue({ storage: late as unknown as Storage, tasks: { beat } }));
    await serve(queue);
    await sleep(500);
    expect(tick.mock.calls.length).toBeGreaterThan(0);
    expect(tick.mock.calls.length).toBeLessThan(60);
  });

  test("with periodic: false nothing is fired, nor declared", async () => {
    let runs = 0;
    const beat = periodic("beat", every("50ms"), async () => void (runs += 1));
    const storage = await makeStorage();
    const queue = closing(createQueue({ storage, tasks: { beat } }));
    await serve(queue, { periodic: false });
    await sleep(200);
    expect(runs).toBe(0);
    // It is listed, as one that nobody has begun to count.
    const begun: unknown[] = [];
    for await (const { name, lastAt } of queue.schedules.list()) begun.push([name, lastAt]);
    expect(begun).toEqual([["beat", undefined]]);
    const { schedules } = await (storage as unknown as StorageContract).schedules({ queue: "default" });
    expect(schedules).toEqual([]);
  });

  test("a schedule made while the consumer runs is noticed", async () => {
    const inputs: string[] = [];
    const note = task("note", async (text: string) => void inputs.push(text));
    const beat = periodic("beat", cron("0 0 1 1 *"), async () => {});
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { note, beat } }));
    await serve(queue);
    await sleep(50);
    await queue.schedules.upsert("often", { schedule: every("100ms"), job: note.job("hello") });
    await until(() => inputs.length >= 2);
    expect(inputs[0]).toBe("hello");
  });

  test("schedules are read once in a while, and when something is heard of them, not at each instant", async () => {
    const storage = await makeStorage();
    const asked = vi.spyOn(storage as unknown as StorageContract, "schedules");
    const reads = (): number =>
      asked.mock.calls.filter(([{ change, name }]) => change === undefined && name === undefined).length;
    const fired: string[] = [];
    const note = task("note", async (text: string) => void fired.push(text));
    const queue = closing(createQueue({ storage, tasks: { note } }));
    for (const name of ["one", "other"]) {
      await queue.schedules.upsert(name, { schedule: every("30ms"), job: note.job(name) });
    }
    await serve(queue);
    await until(() => fired.length >= 40);
    expect(reads()).toBeLessThan(10);
    // What was heard is heeded within a second; and meanwhile nothing is fired that is paused, or is another one by now.
    await queue.schedules.pause("one");
    await queue.schedules.upsert("other", { schedule: every("30ms"), job: note.job("anew") });
    await until(async () => (await queue.counts()).ready === 0);
    await sleep(100);
    fired.length = 0;
    await until(() => fired.length >= 40);
    expect(new Set(fired)).toEqual(new Set(["anew"]));
    await queue.schedules.resume("one");
    await until(() => fired.includes("one"));
    expect(reads()).toBeLessThan(20);
  });

  test("a periodic task whose schedule is removed is fired no more, until a consumer of it starts", async () => {
    const fired: number[] = [];
    const beat = periodic("beat", every("20ms"), async ({ scheduledAt }) => {
      fired.push(scheduledAt.getTime());
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { beat } }));
    await serve(queue, { workers: 1 });
    await until(() => fired.length > 0);
    expect(await queue.schedules.remove("beat")).toBe(true);
    await until(async () => {
      const { ready, active } = await queue.counts();
      return ready + active === 0;
    });
    const before = fired.length;
    await sleep(200);
    expect(fired.length).toBe(before);
    await serve(queue);
    await until(() => fired.length > before);
  });
});
