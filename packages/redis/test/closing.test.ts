/** Closing a storage: what is under way is answered, and nobody waits for a server that is away. */
import { createQueue, task } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import type { RedisServer } from "./servers/redis-server.js";
import { until } from "./servers/until.js";
import { serverOfTest } from "./support/callers.js";
import { alone, newJob, opened, step } from "./support/spread.js";

/** Statistics of it are written by the next step, or as the storage closes. */
async function runOne(storage: StorageContract): Promise<void> {
  await storage.enqueue({ queue: "main", flows: [alone(newJob())] });
  const { claimed } = await step(storage, { claim: { begin: 1, ahead: 0, lease: 30_000 } });
  const outcome = { kind: "completed", result: undefined } as const;
  const settled = claimed.map((run) => ({
    id: run.id,
    fence: run.fence,
    startedAt: Date.now(),
    outcome,
    add: undefined,
    claimed: run,
  }));
  await step(storage, { settled });
}

async function connectionsOf({ port }: RedisServer): Promise<number> {
  const list = await ask(port, [["CLIENT", "LIST"]]);
  return list.split("\n").filter((line) => line.includes(" name=taskq")).length;
}

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const sum = { a: 1, b: 2 };

describe.skipIf(serverBinary() === undefined).each([1, 4])("with %i partitions", (partitions) => {
  test("a storage whose server is gone closes at once, for good", async () => {
    const server = await serverOfTest();
    const storage = await opened({ url: server.url, partitions, timeout: 1_500 });
    await runOne(storage);
    expect(await connectionsOf(server)).toBeGreaterThan(0);
    await server.kill();
    await until("the loss is noticed", () =>
      step(storage, {}).then(
        () => false,
        () => true,
      ),
    );
    const before = performance.now();
    await storage.close();
    expect(performance.now() - before).toBeLessThan(500);
    await storage.close();
    await server.restart();
    // Longer than any pause between two attempts to connect.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await connectionsOf(server)).toBe(0);
  }, 30_000);

  test("a storage whose server does not answer closes within the time of one call", async () => {
    const server = await serverOfTest();
    const storage = await opened({ url: server.url, partitions, timeout: 500 });
    for (let jobs = 0; jobs < 8; jobs += 1) await runOne(storage);
    server.pause();
    const before = performance.now();
    await storage.close();
    expect(performance.now() - before).toBeLessThan(1_000);
    server.resume();
    await until("its connections are closed", async () => (await connectionsOf(server)) === 0);
  }, 30_000);

  test("what was gathered last is written as a storage closes", async () => {
    const server = await serverOfTest();
    const storage = await opened({ url: server.url, partitions });
    await runOne(storage);
    await storage.close();
    const queue = createQueue({
      name: "main",
      storage: redisStorage({ url: server.url, partitions }),
      tasks: {},
    });
    expect(await queue.stats({ window: "15m" })).toMatchObject({ total: { completed: 1 } });
    await queue.close();
  });

  test("what was asked for before a queue closes is answered", async () => {
    const server = await serverOfTest();
    const open = () =>
      createQueue({ storage: redisStorage({ url: server.url, partitions }), tasks: { add } });

    const used = open();
    await used.enqueue(add.job(sum));
    const answers = Promise.all([used.enqueue(add.job(sum)), used.values.set("key", 1), used.job("unknown")]);
    await used.close();
    expect((await answers)[0].existing).toBe(false);
    await expect(used.enqueue(add.job(sum))).rejects.toMatchObject({ code: "TASKQ_CLOSED" });

    const unused = open();
    const first = unused.enqueue(add.job(sum));
    await unused.close();
    expect((await first).existing).toBe(false);

    const after = open();
    expect((await after.counts()).ready).toBe(3);
    expect(await after.values.get("key")).toBe(1);
    await after.close();
  });
});
