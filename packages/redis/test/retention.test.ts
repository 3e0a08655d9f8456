/** How many final jobs are kept, where some have a retention of their own or a task keeps so many. */
import type { NewJob, Settlement, StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { alone, newJob, QUEUE, step } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";
import { redisStorage } from "../src/index.js";

const START = 1_800_000_000_000;
const HOUR = 3_600_000;
const LONG = { completed: 2 * HOUR, failed: undefined };

async function open(storage: StorageContract, max: number): Promise<void> {
  afterTest(() => storage.close());
  const retention = { completed: { for: HOUR, max }, failed: { for: HOUR, max: 1e6 } };
  await storage.open({ queue: QUEUE, retention, now: START });
}

/** Stored, claimed and completed in one step. */
async function complete(
  storage: StorageContract,
  keeps: readonly NewJob["keep"][],
  now: number,
): Promise<readonly string[]> {
  const jobs = keeps.map((keep) => newJob({ due: START, task: "work", keep }));
  await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now });
  const { claimed } = await step(storage, { claim: { begin: jobs.length, ahead: 0, lease: 30_000 }, now });
  const settled = claimed.map(({ id, fence }): Settlement => {
    const outcome = { kind: "completed", result: undefined } as const;
    return { id, fence, startedAt: now, outcome, add: undefined };
  });
  await step(storage, { settled, now });
  return jobs.map(({ id }) => id);
}

async function left(storage: StorageContract, ids: readonly string[]): Promise<number> {
  return (await storage.read({ queue: QUEUE, ids, now: START })).filter((record) => record !== undefined)
    .length;
}

describe.skipIf(serverBinary() === undefined)("the number of jobs that are kept", () => {
  const own = ownServer();

  test("is kept to by steps that end many with a retention of their own", async () => {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    await open(storage, 50);
    for (let round = 0; round < 4; round += 1) {
      await complete(
        storage,
        Array.from({ length: 400 }, () => LONG),
        START + round,
      );
    }
    const { "*": all } = await storage.counts({ queue: QUEUE, by: undefined, now: START + 9 });
    expect(all?.completed).toBeLessThanOrEqual(50 + 400);
    await scan(own.server.url, prefix, QUEUE);
  });

  test("counts those with a retention of their own, and steps of others remove them in their turn", async () => {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    await open(storage, 5);
    const ours: string[] = [];
    for (let n = 0; n < 4; n += 1) ours.push(...(await complete(storage, [LONG], START + n)));
    const others: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      others.push(...(await complete(storage, [undefined], START + 10 + n)));
      await scan(own.server.url, prefix, QUEUE);
    }
    const last = await complete(storage, [LONG], START + 50);
    await step(storage, { now: START + 51 });
    expect(await left(storage, ours)).toBe(0);
    expect(await left(storage, others)).toBe(4);
    expect(await left(storage, others.slice(-4))).toBe(4);
    expect(await left(storage, last)).toBe(1);
    await scan(own.server.url, prefix, QUEUE);
    expect(await own.redis.zcard(`${prefix}:{${QUEUE}}:caps`)).toBe(1);
  });

  test("counts them over several partitions, too", async () => {
    const options = { url: own.server.url, keyPrefix: newPrefix(), partitions: 3 };
    const storage = redisStorage(options) as unknown as StorageContract;
    await open(storage, 4);
    const ours = await complete(
      storage,
      Array.from({ length: 12 }, () => LONG),
      START,
    );
    const others = await complete(
      storage,
      Array.from({ length: 3 }, () => undefined),
      START + 10,
    );
    await storage.purge({ queue: QUEUE, limit: 100, now: START + 20 });
    expect(await left(storage, ours)).toBe(1);
    expect(await left(storage, others)).toBe(3);
  });

  test("of a task is remembered as long as one is there, also after a step in which another came and went", async () => {
    const storage = connect(own.server, newPrefix());
    await open(storage, 1e6);
    const few = { completed: undefined, failed: undefined, completedMax: 0 };
    const ids = await complete(storage, [few, { ...few, completed: 0 }], START);
    expect(await left(storage, ids)).toBe(1);
    await storage.purge({ queue: QUEUE, limit: 100, now: START + 60_000 });
    expect(await left(storage, ids)).toBe(0);
  });
});
