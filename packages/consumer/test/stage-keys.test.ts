import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { sleep, storages } from "./support.js";

interface Order {
  readonly tenant: string;
  readonly n: number;
}

describe.each(storages)("stages whose keys are made from their input, on %s", (_name, make) => {
  test("never run side by side under one key, whoever runs them, and run once each", async () => {
    const running = new Map<string, number>();
    let most = 0;
    const fetch = task("fetch", async (order: Order) => order);
    const store = task(
      "store",
      { concurrency: { key: ({ tenant }: Order) => tenant, max: 1 }, lock: ({ n }) => `order ${n % 5}` },
      async ({ tenant, n }: Order, { attempt }) => {
        const beside = (running.get(tenant) ?? 0) + 1;
        running.set(tenant, beside);
        most = Math.max(most, beside);
        await sleep(n % 4);
        running.set(tenant, (running.get(tenant) ?? 0) - 1);
        return [n, attempt];
      },
    );
    const queue = closing(createQueue({ storage: await make(), tasks: { fetch, store } }));
    const orders = Array.from({ length: 60 }, (_, n) => ({ tenant: `tenant ${n % 3}`, n }));
    const results = await queue.enqueueMany(orders.map((order) => fetch.job(order).pipe(store)));
    await Promise.all([serve(queue, { workers: 4 }), serve(queue, { workers: 4, prefetch: 8 })]);
    const outcomes = await Promise.all(results.map((result) => result.wait({ timeout: "20s" })));
    expect(outcomes).toEqual(orders.map(({ n }) => [n, 1]));
    expect(most).toBe(1);
  });
});
