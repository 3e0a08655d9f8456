/** What runs have added to what waits for them, where that is much. */
import { memoryStorage } from "@taskq/memory";
import { createQueue, group, moveQueue, task, type Outcome, type Queue, type Storage } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import type { StorageContract } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";

/** More than one part of what is read at once. */
const MANY = 1_200;
const state = { failing: false };

const extra = task("extra", async (number: number) => {
  if (state.failing && number % 100 === 7) throw new Error("added one broke");
  return number;
});
const adding = task("adding", async (count: number, { enqueue }) => {
  for (let number = 0; number < count; number += 1) await enqueue(extra.job(number), { join: true });
  return count;
});
const last = task("last", async (given: number | readonly number[]) => given);
const outcomes = task("outcomes", async (given: readonly Outcome[]) => given.map((one) => one.state));
const tasks = { extra, adding, last, outcomes };

async function served(): Promise<{ readonly url: string; readonly keyPrefix: string }> {
  const server = await startTestServer();
  onTestFinished(() => server.stop());
  return { url: server.url, keyPrefix: server.keyPrefix };
}

function queueOn(storage: Storage) {
  const queue = createQueue({ storage, tasks, name: "main" });
  onTestFinished(() => queue.close());
  return queue;
}

function run(queue: Queue): Promise<unknown> {
  return new InlineRunner(engineOf(queue)).runDue();
}

/** Of the values that scripts write into the key with this name from now on, how long the longest is. */
async function watchWrites(url: string, prefix: string, name: string): Promise<{ longest: number }> {
  const redis = new Redis(url);
  onTestFinished(() => redis.disconnect());
  const monitor = await redis.monitor();
  onTestFinished(() => monitor.disconnect());
  const writes = { longest: 0 };
  monitor.on("monitor", (_time: string, [command = "", key = "", ...fields]: string[]) => {
    if (!/^HSET$/i.test(command) || !key.startsWith(prefix) || !key.endsWith(`:${name}`)) return;
    for (const [place, value] of fields.entries())
      if (place % 2 === 1) writes.longest = Math.max(writes.longest, value.length);
  });
  return writes;
}

describe.skipIf(!hasTestServer)("much that runs have added", () => {
  test.each([
    {
      to: "a group, each member one",
      jobs: 400,
      flow: () => group(Array.from({ length: 400 }, () => adding.job(1))).pipe(last),
    },
    {
      to: "a group, one member all",
      jobs: 400,
      flow: () => group([adding.job(400), adding.job(0)]).pipe(last),
    },
    { to: "a follower", jobs: 400, flow: () => adding.job(400).pipe(last) },
  ])("to $to stands beside its row, and goes with it", async ({ jobs, flow }) => {
    const { url, keyPrefix } = await served();
    const storage = redisStorage({ url, keyPrefix });
    const contract = storage as unknown as StorageContract;
    const queue = queueOn(storage);
    const end = await queue.enqueue(flow());
    const writes = await watchWrites(url, keyPrefix, "rows");
    await run(queue);
    expect(await end.state()).toBe("completed");
    const { completed } = await queue.counts();
    expect(completed).toBeGreaterThan(jobs);
    expect(writes.longest).toBeGreaterThan(0);
    // As escaped: 400 ids are 10,000 bytes.
    expect(writes.longest).toBeLessThan(5_000);
    const redis = new Redis(url);
    onTestFinished(() => redis.disconnect());
    const left = (name: string) => redis.hlen(`${keyPrefix}:{main}:${name}`);
    expect(await left("rows")).toBeGreaterThan(jobs);
    const purge = () => contract.purge({ queue: "main", limit: 1_000, now: Date.now() + 1e11 });
    for (let part = 0; part < 10 && (await purge()).removed > 0; part += 1);
    expect(await Promise.all(["rows", "bodies", "members"].map(left))).toEqual([0, 0, 0]);
  });

  test("is waited for, moves, and is waited for anew where some of it failed and is retried", async () => {
    const { url, keyPrefix } = await served();
    const queue = queueOn(redisStorage({ url, keyPrefix }));
    const ends = [
      await queue.enqueue(adding.job(MANY).pipe(last)),
      await queue.enqueue(group([adding.job(MANY), adding.job(1)]).pipe(last)),
    ];
    const settled = await queue.enqueue(
      group([adding.job(MANY), adding.job(1)], { mode: "settled" }).pipe(outcomes),
    );
    const states = () => Promise.all([...ends, settled].map((end) => end.state()));
    state.failing = true;
    await run(queue);
    state.failing = false;
    expect(await states()).toEqual(["skipped", "skipped", "completed"]);
    expect(await settled.wait()).toEqual(["failed", "completed"]);
    const elsewhere = queueOn(memoryStorage());
    await moveQueue(queue, elsewhere);
    await moveQueue(elsewhere, queue);
    const { before } = (await queue.job(ends[0]?.id ?? "")) ?? {};
    expect(before).toHaveLength(MANY + 1);
    let failed = 0;
    for await (const { id } of queue.jobs({ state: "failed" })) {
      failed += 1;
      await queue.retry(id).catch(() => false);
    }
    // The first one lets the others of its group go.
    expect(failed).toBe((MANY / 100) * 2 + 1);
    await run(queue);
    expect(await states()).toEqual(["completed", "completed", "completed"]);
    expect(await queue.counts()).toMatchObject({ failed: MANY / 100, blocked: 0, ready: 0, skipped: 0 });
  });
});
