import { memoryStorage } from "@taskq/memory";
import { createQueue, moveQueue, type Storage } from "@taskq/core";
import { STATS_MINUTE, type ClaimedJob, type StorageContract } from "@taskq/core/storage";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { alone, newJob, opened, QUEUE } from "./support/spread.js";

let requests = 0;

/** Runs so many jobs. */
async function work(storage: StorageContract, n: number): Promise<void> {
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: n }, () => alone(newJob())) });
  let settled: readonly ClaimedJob[] = [];
  for (const claim of [{ begin: n, ahead: 0, lease: 30_000 }, undefined]) {
    requests += 1;
    const outcome = { kind: "completed", result: undefined } as const;
    const ended = settled.map((run) => ({
      ...run,
      startedAt: Date.now(),
      outcome,
      add: undefined,
      claimed: run,
    }));
    const step = {
      queue: QUEUE,
      owner: "one",
      request: requests,
      tasks: ["work"],
      settled: ended,
      begun: [],
    };
    settled = (await storage.step({ ...step, claim })).claimed;
  }
}

async function completed(storage: StorageContract): Promise<number> {
  const { rows } = await storage.stats({ queue: QUEUE, since: 0 });
  return rows.reduce((sum, row) => sum + row.completed, 0);
}

describe.skipIf(!hasTestServer)("statistics of a queue that moves away and back", () => {
  test.each([1, 3])("count once what other processes gathered, in %i partition(s)", async (partitions) => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const options = { url: server.url, keyPrefix: server.keyPrefix, partitions };
    const [worker, mover] = [await opened(options), await opened(options)];
    const here = createQueue({ storage: mover as unknown as Storage, tasks: {}, name: QUEUE });
    const there = createQueue({ storage: memoryStorage(), tasks: {}, name: QUEUE });
    onTestFinished(async () => void (await Promise.all([here.close(), there.close()])));
    // All of it in one minute, whose numbers a process writes anew as they grow.
    const left = STATS_MINUTE - (Date.now() % STATS_MINUTE);
    if (left < 5_000) await sleep(left);
    await work(worker, 30);
    expect(await completed(worker)).toBe(30);
    await moveQueue(here, there);
    await moveQueue(there, here);
    expect(await completed(worker)).toBe(30);
    await work(worker, 20);
    expect([await completed(worker), await completed(mover)]).toEqual([50, 50]);
  });

  test("what was not written before it left is not written when it has come back", async () => {
    const server = await startTestServer();
    onTestFinished(() => server.stop());
    const options = { url: server.url, keyPrefix: server.keyPrefix };
    const [worker, mover] = [await opened(options), await opened(options)];
    const here = createQueue({ storage: mover as unknown as Storage, tasks: {}, name: QUEUE });
    const there = createQueue({ storage: memoryStorage(), tasks: {}, name: QUEUE });
    onTestFinished(async () => void (await Promise.all([here.close(), there.close()])));
    await work(worker, 30);
    expect(await completed(worker)).toBe(30);
    // Within a second of the last write.
    await work(worker, 7);
    await moveQueue(here, there);
    await moveQueue(there, here);
    const [told] = [await completed(worker)];
    expect([30, 37]).toContain(told);
    await worker.close();
    expect(await completed(mover)).toBe(told);
  });
});
