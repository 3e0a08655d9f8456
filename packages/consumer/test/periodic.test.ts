import { createQueue, cron, every, periodic, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { sleep, storages, until } from "./support.js";

describe.each(storages)("on %s", (_name, makeStorage) => {
  test("two consumers fire each instant of a periodic task once", async () => {
    const storage = await makeStorage();
    const instants: number[] = [];
    const beat = periodic("beat", every("200ms"), async ({ scheduledAt }) => {
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
    let lateness = Infinity;
    const beat = periodic("beat", every("300ms"), async ({ scheduledAt }) => {
      lateness = Math.min(lateness, Date.now() - scheduledAt.getTime());
    });
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { beat } }));
    await serve(queue);
    await until(() => lateness < Infinity);
    expect(lateness).toBeGreaterThanOrEqual(0);
    expect(lateness).toBeLessThan(100);
  });

  test("with periodic: false nothing is fired, nor declared", async () => {
    let runs = 0;
    const beat = periodic("beat", every("50ms"), async () => void (runs += 1));
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { beat } }));
    await serve(queue, { periodic: false });
    await sleep(200);
    expect(runs).toBe(0);
    // It is listed, as one that nobody has begun to count.
    const begun: unknown[] = [];
    for await (const { lastAt } of queue.schedules.list()) begun.push(lastAt);
    expect(begun).toEqual([undefined]);
  });

  test("a schedule made while the consumer runs is noticed", async () => {
    const inputs: string[] = [];
    const note = task("note", async (text: string) => void inputs.push(text));
    const beat = periodic("beat", cron("0 0 1 1 *"), async () => {});
    const queue = closing(createQueue({ storage: await makeStorage(), tasks: { note, beat } }));
    await serve(queue);
    await sleep(50);
    await queue.schedules.upsert("often", { schedule: every("100ms"), job: note.job("hello") });
    await until(() => inputs.length >= 2, 3_000);
    expect(inputs[0]).toBe("hello");
  });
});
