/** Rows that completed in one step: one entry among those that completed, until somebody needs one of them alone. */
import type { NewJob, Settlement, StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { scan } from "./support/scan.js";
import { alone, newJob, QUEUE, step } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const START = 1_800_000_000_000;
const JOBS = 300;

async function completed(storage: StorageContract): Promise<number | undefined> {
  return (await storage.counts({ queue: QUEUE }))["*"]?.completed;
}

/** So many jobs are stored, claimed at once and completed in one step. */
async function complete(storage: StorageContract, count: number, now = START): Promise<readonly NewJob[]> {
  const jobs = Array.from({ length: count }, () => newJob({ due: START, task: "work" }));
  await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone), now });
  const { claimed } = await step(storage, { claim: { begin: count, ahead: 0, lease: 30_000 }, now });
  const settled = claimed.map(({ id, fence }): Settlement => {
    const outcome = { kind: "completed", result: new Uint8Array(3) } as const;
    return { id, fence, startedAt: now, outcome, add: undefined };
  });
  await step(storage, { settled, now });
  return jobs;
}

describe.skipIf(serverBinary() === undefined)("rows that completed together", () => {
  const own = ownServer();

  async function opened(max: number): Promise<{ storage: StorageContract; prefix: string }> {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    afterTest(() => storage.close());
    const retention = { completed: { for: 60_000, max }, failed: { for: 60_000, max: 1e6 } };
    await storage.open({ queue: QUEUE, retention, now: START });
    return { storage, prefix };
  }

  const entries = (prefix: string) => own.redis.zcard(`${prefix}:{${QUEUE}}:done`);

  test("are three entries, of 128 at most, and one that is waited for is one more", async () => {
    const { storage, prefix } = await opened(1e6);
    const [, , job] = await complete(storage, JOBS);
    await scan(own.server.url, prefix, QUEUE);
    expect(await entries(prefix)).toBe(3);
    const follower = newJob({ after: [{ source: job!.id, on: "completed" }], due: START, task: "work" });
    await storage.enqueue({ queue: QUEUE, flows: [alone(follower)], now: START });
    await scan(own.server.url, prefix, QUEUE);
    expect(await entries(prefix)).toBe(2 + 128);
    const next = await step(storage, { claim: { begin: 1, ahead: 0, lease: 30_000 }, now: START });
    expect(next.claimed).toMatchObject([{ id: follower.id, sources: [{ id: job!.id }] }]);
  });

  test("are removed a part of them at a time by a step, the oldest first, as many as are too many", async () => {
    const { storage, prefix } = await opened(250);
    await complete(storage, JOBS);
    expect(await completed(storage)).toBe(JOBS);
    await step(storage, { now: START });
    expect(await completed(storage)).toBe(250);
    await scan(own.server.url, prefix, QUEUE);
    await complete(storage, 10, START + 5);
    await step(storage, { now: START });
    expect(await completed(storage)).toBe(250);
    await scan(own.server.url, prefix, QUEUE);
    const kept = await storage.list({ queue: QUEUE, limit: 1_000 });
    expect(kept.records.filter(({ finishedAt }) => finishedAt === START + 5)).toHaveLength(10);
  });

  test("are removed no more at a time than is asked for, and all once their time is over", async () => {
    const { storage, prefix } = await opened(1e6);
    await complete(storage, JOBS);
    const later = { queue: QUEUE, limit: 70, now: START + 60_001 };
    const removed: number[] = [];
    for (let more = true; more;) {
      const answer = await storage.purge(later);
      removed.push(answer.removed);
      more = answer.more;
      await scan(own.server.url, prefix, QUEUE);
    }
    expect(removed).toEqual([70, 70, 70, 70, 20]);
    await complete(storage, JOBS, START + 70_000);
    await step(storage, { now: START + 140_000 });
    await step(storage, { now: START + 140_000 });
    await step(storage, { now: START + 141_000 });
    expect(await completed(storage)).toBe(0);
    expect(await entries(prefix)).toBe(0);
    await scan(own.server.url, prefix, QUEUE);
  });
});
