/** What the scripts leave on the server. */
import { plainJob } from "@taskq/conformance";
import {
  createIdMaker,
  type ClaimedJob,
  type NewJob,
  type StepAnswer,
  type StepRequest,
  type StorageContract,
} from "@taskq/core/storage";
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { scan } from "./support/scan.js";
import { ownServer } from "./support/own-server.js";
import { alone } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const QUEUE = "main";
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };
const makeId = createIdMaker();

function newJob(options: Partial<NewJob> = {}): NewJob {
  const now = Date.now();
  return plainJob(makeId(now), { body: new Uint8Array(100).fill(120), due: now, ...options });
}

async function enqueue(storage: StorageContract, ...jobs: readonly NewJob[]): Promise<void> {
  const flows = jobs.map(alone);
  await storage.enqueue({ queue: QUEUE, flows });
}

function completed(job: ClaimedJob, size = 600): StepRequest["settled"][number] {
  const outcome = { kind: "completed", result: new Uint8Array(size) } as const;
  const { id, fence } = job;
  return { id, fence, startedAt: Date.now(), outcome, add: undefined, claimed: job };
}

/** Bytes that the server has in use. */
async function used(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
}

describe.skipIf(serverBinary() === undefined)("keys", () => {
  const own = ownServer();
  let request = 0;

  async function opened(prefix: string): Promise<StorageContract> {
    const storage = connect(own.server, prefix);
    await storage.open({ queue: QUEUE, retention: RETENTION });
    return storage;
  }

  function step(storage: StorageContract, options: Partial<StepRequest> = {}): Promise<StepAnswer> {
    request += 1;
    return storage.step({
      queue: QUEUE,
      owner: "owner",
      request,
      tasks: ["work"],
      settled: [],
      begun: [],
      claim: { begin: 10, ahead: 10, lease: 30_000 },
      ...options,
    });
  }

  async function changes(): Promise<string | undefined> {
    return /rdb_changes_since_last_save:(\d+)/.exec(await own.redis.info("persistence"))?.[1];
  }

  test("steps, reaps and reads of an idle queue write nothing", async () => {
    const storage = await opened(newPrefix());
    const lock = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;
    await enqueue(storage, newJob({ gates: [lock] }), newJob({ gates: [lock] }));
    await enqueue(storage, newJob({ task: "unknown" }), newJob({ due: Date.now() + 1e6 }));
    expect((await step(storage)).claimed).toHaveLength(1);
    await step(storage);
    const before = await changes();
    for (let turn = 0; turn < 20; turn += 1) {
      expect((await step(storage)).claimed).toEqual([]);
      await step(storage, { claim: undefined });
      await storage.reap({ queue: QUEUE, limit: 10 });
      await storage.schedules({ queue: QUEUE });
      await storage.counts({ queue: QUEUE, by: "task" });
      await storage.keys({ queue: QUEUE, kind: "inspect", name: "door" });
    }
    expect(await changes()).toBe(before);
    await storage.close();
  });

  test("a waiting job of a hundred bytes takes about four hundred", async () => {
    const storage = await opened(newPrefix());
    await enqueue(storage, ...Array.from({ length: 100 }, () => newJob()));
    const before = await used(own.redis);
    for (let turn = 0; turn < 20; turn += 1)
      await enqueue(storage, ...Array.from({ length: 1_000 }, () => newJob()));
    expect((await used(own.redis)) - before).toBeLessThan(20_000 * 420);
    await storage.close();
  });

  test("nothing is left of jobs that are purged, whichever way they went", async () => {
    const prefix = newPrefix();
    const storage = await opened(prefix);
    const long = new Uint8Array(2_000);
    await enqueue(storage, ...Array.from({ length: 30 }, () => newJob({ body: long })));
    for (let turn = 0; turn < 3; turn += 1) {
      const { claimed } = await step(storage);
      await step(storage, { settled: claimed.map((job) => completed(job)), claim: undefined });
    }
    await scan(own.server.url, prefix, QUEUE);
    const later = { queue: QUEUE, now: Date.now() + 100_000 };
    // One step purges by the short way, and the rest is asked for.
    await step(storage, { ...later, claim: undefined });
    while ((await storage.purge({ ...later, limit: 100 })).more);
    expect(await storage.list({ queue: QUEUE, limit: 10 })).toEqual({ records: [], after: undefined });
    await scan(own.server.url, prefix, QUEUE);
    for (const name of ["rows", "bodies", "done", "active", "ready"]) {
      expect([name, await own.redis.call("EXISTS", `${prefix}:{${QUEUE}}:${name}`)]).toEqual([name, 0]);
    }
    await storage.close();
  });

  test("what a run has noted goes with its job, whichever way that is purged", async () => {
    const prefix = newPrefix();
    const storage = await opened(prefix);
    await storage.open({ queue: QUEUE, retention: { ...RETENTION, completed: { for: 60_000, max: 0 } } });
    await enqueue(storage, ...Array.from({ length: 120 }, () => newJob()));
    let settled: StepRequest["settled"] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const { claimed } = await step(storage, { settled });
      for (const { id, fence } of claimed.slice(0, 2)) {
        for (const kind of ["progress", "log"] as const)
          await storage.note({ queue: QUEUE, run: { id, fence }, kind, bytes: new Uint8Array(3) });
      }
      settled = claimed.map((job) => completed(job, 3));
    }
    await scan(own.server.url, prefix, QUEUE);
    expect(await storage.list({ queue: QUEUE, limit: 10 })).toEqual({ records: [], after: undefined });
    expect(await own.redis.exists(`${prefix}:{${QUEUE}}:stories`)).toBe(0);
    await storage.close();
  });

  test("as many completed jobs are removed as come, where no more than so many are kept", async () => {
    const prefix = newPrefix();
    const storage = connect(own.server, prefix);
    await storage.open({ queue: QUEUE, retention: { ...RETENTION, completed: { for: 60_000, max: 50 } } });
    await enqueue(storage, ...Array.from({ length: 1_500 }, () => newJob()));
    let settled: StepRequest["settled"] = [];
    let most = 0;
    for (let turn = 0; turn < 6; turn += 1) {
      const { claimed } = await step(storage, { settled, claim: { begin: 300, ahead: 0, lease: 30_000 } });
      settled = claimed.map((job, place) => completed(job, place % 7 === 0 ? 600 : 3));
      most = Math.max(most, await own.redis.zcard(`${prefix}:{${QUEUE}}:done`));
    }
    // Twice as many as a step settles, and not all.
    expect(most).toBeLessThan(700);
    for (let turn = 0; turn < 4; turn += 1) {
      await step(storage, { settled, claim: undefined });
      settled = [];
    }
    await scan(own.server.url, prefix, QUEUE);
    expect((await storage.counts({ queue: QUEUE }))["*"]?.completed).toBe(50);
    await storage.close();
  });

  test("a job that the index of ready ones has lost is found by the scan of the tests", async () => {
    const prefix = newPrefix();
    const storage = await opened(prefix);
    await enqueue(storage, newJob(), newJob());
    await scan(own.server.url, prefix, QUEUE);
    await own.redis.zpopmin(`${prefix}:{${QUEUE}}:ready`);
    await expect(scan(own.server.url, prefix, QUEUE)).rejects.toThrow("ready");
    await storage.close();
  });

  test("a flush has the server free what is large beside its other work", async () => {
    const storage = await opened(newPrefix());
    const set = { kind: "set", key: "key", bytes: new Uint8Array(9), expiresAt: undefined } as const;
    await storage.values({ queue: QUEUE, operation: "once", operations: [set] });
    await enqueue(storage, newJob());
    await own.redis.config("RESETSTAT");
    expect(await storage.purge({ queue: QUEUE, limit: 10, everything: true })).toMatchObject({ removed: 1 });
    const stats = await own.redis.info("commandstats");
    expect(stats).toContain("cmdstat_unlink:");
    expect(stats).not.toContain("cmdstat_del:");
  });

  test("no key has a time to live", async () => {
    const prefix = newPrefix();
    const storage = await opened(prefix);
    await enqueue(storage, newJob(), newJob({ id: "named", named: true, due: Date.now() + 1e6 }));
    await storage.values({
      queue: QUEUE,
      operation: "one",
      operations: [{ kind: "set", key: "a", bytes: new Uint8Array(1), expiresAt: Date.now() + 1e6 }],
    });
    await step(storage);
    const names = await own.redis.keys(`${prefix}:*`);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect([name, await own.redis.pttl(name)]).toEqual([name, -1]);
    await storage.close();
  });
});
