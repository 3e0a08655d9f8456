/** A server that has lost a queue, while processes use it: they open it again and go on. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, every, periodic, task } from "@taskq/core";
import type { ClaimedJob, NewJob, StorageContract } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { lossOf } from "../src/opening/loss.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { until } from "./servers/until.js";
import { refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { PLACE } from "../src/wire/rows.js";
import { alone, newJob, opened, QUEUE } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const SOUND = ["--appendonly", "yes"];
const flush = (port: number): Promise<string> => ask(port, [["FLUSHALL"]]);

/** What is warned of from here on, of losses. */
function lossesOfTest(): string[] {
  const losses: string[] = [];
  const listener = (warning: Error & { readonly code?: string }): void => {
    if (warning.code === "TASKQ_REDIS_LOST") losses.push(warning.message);
  };
  process.on("warning", listener);
  afterTest(() => void process.off("warning", listener));
  return losses;
}

let server: RedisServer | undefined;
afterAll(() => server?.stop());

/** One for most tests: each flushes it, and opens queues of its own. */
async function sharedServer(): Promise<RedisServer> {
  server ??= await startRedisServer({ arguments: SOUND });
  return server;
}

let requests = 0;

async function claim(storage: StorageContract, owner: string, n = 1): Promise<readonly ClaimedJob[]> {
  requests += 1;
  const step = { queue: QUEUE, owner, request: requests, tasks: ["work"], settled: [], begun: [] };
  return (await storage.step({ ...step, claim: { begin: n, ahead: 0, lease: 30_000 } })).claimed;
}

async function claimOne(storage: StorageContract, owner: string): Promise<ClaimedJob> {
  const [claimed] = await claim(storage, owner);
  if (claimed === undefined) throw new Error("nothing was claimed");
  return claimed;
}

async function complete(storage: StorageContract, owner: string, run: ClaimedJob): Promise<string> {
  requests += 1;
  const outcome = { kind: "completed", result: new Uint8Array([1]) } as const;
  const settlement = { id: run.id, fence: run.fence, startedAt: Date.now(), outcome, claimed: run };
  const settled = [{ ...settlement, add: undefined }];
  const step = { queue: QUEUE, owner, request: requests, tasks: ["work"], settled, begun: [] };
  return (await storage.step({ ...step, claim: undefined })).settled[0] ?? "none";
}

/** Three jobs with one lock, which the first one holds: it has begun, and the others stand in line. */
async function lockedJobs() {
  const { url, port } = await sharedServer();
  const keyPrefix = newPrefix();
  const storage = await opened({ url, keyPrefix });
  const gates = [{ kind: "lock", key: "l", max: 1, per: undefined, onBusy: "wait" }] as const;
  const jobs = Array.from({ length: 3 }, () => newJob({ gates }));
  await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
  const begun = await claim(storage, "one", 5);
  expect(begun).toHaveLength(1);
  const remove = (name: string): Promise<string> => ask(port, [["DEL", `${keyPrefix}:{${QUEUE}}:${name}`]]);
  return { storage, jobs, gates, begun, remove };
}

/** With a lock of this number. */
function locked(number: number): NewJob {
  const lock = { kind: "lock", key: `l${number}`, max: 1, per: undefined, onBusy: "wait" } as const;
  return newJob({ gates: [lock] });
}

async function enqueueTen(storage: StorageContract): Promise<void> {
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 10 }, () => alone(newJob())) });
}

async function declare(storage: StorageContract, name: string): Promise<void> {
  const change = { kind: "declare", name, origin: "task", task: name, bytes: new Uint8Array(1) } as const;
  await storage.schedules({ queue: QUEUE, change });
}

async function namesIn(storage: StorageContract): Promise<readonly string[]> {
  return (await storage.schedules({ queue: QUEUE })).schedules.map(({ name }) => name);
}

/** One of each kind, on a queue that has nothing. */
const CALLS: Readonly<Record<string, (storage: StorageContract) => Promise<unknown>>> = {
  enqueue: (storage) => storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] }),
  "enqueue, several": (storage) =>
    storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 9 }, () => alone(newJob())) }),
  "enqueue, named": (storage) =>
    storage.enqueue({ queue: QUEUE, flows: [alone(newJob({ id: "named" })), alone(newJob())] }),
  step: (storage) => claim(storage, "one", 3),
  renew: (storage) =>
    storage.renew({ queue: QUEUE, owner: "one", lease: 1_000, runs: [{ id: newJob().id, fence: 1 }] }),
  reap: (storage) => storage.reap({ queue: QUEUE, limit: 10 }),
  amend: (storage) => storage.amend({ queue: QUEUE, ids: ["named"], change: { kind: "retry" } }),
  control: (storage) => storage.control({ queue: QUEUE, task: "work", change: { kind: "inspect" } }),
  tick: (storage) =>
    storage.tick({ queue: QUEUE, name: "s", previous: 1, at: 2, flows: [], overlap: "allow" }),
  schedules: (storage) => storage.schedules({ queue: QUEUE }),
  read: (storage) => storage.read({ queue: QUEUE, ids: ["named"] }),
  list: (storage) => storage.list({ queue: QUEUE, limit: 10 }),
  explain: (storage) => storage.explain({ queue: QUEUE, ids: ["named"] }),
  counts: (storage) => storage.counts({ queue: QUEUE }),
  "counts by task": (storage) => storage.counts({ queue: QUEUE, by: "task" }),
  stats: (storage) => storage.stats({ queue: QUEUE, since: 0 }),
  note: (storage) =>
    storage.note({ queue: QUEUE, run: { id: "named", fence: 1 }, kind: "log", bytes: new Uint8Array(1) }),
  notes: (storage) => storage.notes({ queue: QUEUE, id: "named" }),
  values: (storage) =>
    storage.values({ queue: QUEUE, operation: "1", operations: [{ kind: "get", key: "key" }] }),
  keys: (storage) => storage.keys({ queue: QUEUE, kind: "inspect", name: "lock" }),
  events: (storage) => storage.events({ queue: QUEUE, from: "now", limit: 10 }),
  phase: (storage) => storage.phase({ queue: QUEUE }),
  purge: (storage) => storage.purge({ queue: QUEUE, limit: 10 }),
};

describe.skipIf(serverBinary() === undefined)("a server that has lost a queue", () => {
  test("that comes back empty: producers, consumers and periodic tasks go on, and it is told once", async () => {
    const losses = lossesOfTest();
    const empty = await serverOfTest();
    const double = task("double", async (a: number) => a * 2);
    const beats: number[] = [];
    const beat = periodic("beat", every("1s"), () => void beats.push(Date.now()));
    const queueOfProcess = () => {
      const queue = createQueue({ storage: redisStorage({ url: empty.url }), tasks: { double, beat } });
      afterTest(() => queue.close());
      return queue;
    };
    const consumers = [queueOfProcess(), queueOfProcess()].map((queue) => createConsumer(queue));
    for (const consumer of consumers) {
      await consumer.start();
      afterTest(() => consumer.stop());
    }
    const queue = queueOfProcess();
    expect(await (await queue.enqueue(double.job(2))).wait()).toBe(4);
    const later = await queue.enqueue(double.job(3), { delay: "1h" });
    await empty.kill();
    await empty.restart();
    const results = await Promise.all(Array.from({ length: 200 }, (_, a) => queue.enqueue(double.job(a))));
    expect(await Promise.all(results.map((result) => result.wait()))).toEqual(
      Array.from({ length: 200 }, (_, a) => a * 2),
    );
    const before = beats.length;
    await until("the periodic task goes on", async () => beats.length > before + 1);
    expect(await queue.job(later.id)).toBeUndefined();
    expect(losses).toHaveLength(1);
    expect(losses[0]).toMatch(
      new RegExp(
        `^redis 127.0.0.1:${empty.port}: the queue "default" was gone .* all its jobs, .* are lost. ` +
          "Persistence is off: .* keeps nothing on disk",
      ),
    );
  });

  for (const partitions of [1, 3]) {
    const layout = partitions === 1 ? "" : ` (${partitions} partitions)`;

    test.each(Object.entries(CALLS))(`%s is carried out all the same${layout}`, async (_name, call) => {
      const { url, port } = await sharedServer();
      const storage = await opened({ url, keyPrefix: newPrefix(), partitions });
      await flush(port);
      await call(storage);
      expect((await storage.counts({ queue: QUEUE }))["*"]?.active).toBe(0);
    });

    test(`an old run's outcome is not that of a new job of its id${layout}`, async () => {
      const { url, port } = await sharedServer();
      const options = { url, keyPrefix: newPrefix(), partitions };
      const flows = [alone(newJob({ id: "same" }))];
      for (const isFresh of [true, false]) {
        const storage = await opened(options);
        await storage.enqueue({ queue: QUEUE, flows });
        const old = await claimOne(storage, "old");
        await flush(port);
        const other = isFresh ? await opened(options) : storage;
        await other.enqueue({ queue: QUEUE, flows });
        const run = await claimOne(other, "new");
        expect(run.fence).toBeGreaterThan(old.fence);
        expect(run.fence).toBeLessThan(2 ** 53);
        expect(await complete(storage, "old", old)).toBe("lost");
        const [record] = await storage.read({ queue: QUEUE, ids: ["same"] });
        expect(record).toMatchObject({ state: "active", fence: run.fence });
        expect(await complete(other, "new", run)).toBe("applied");
        await flush(port);
      }
    });

    test(`of many that notice it, one tells of it${layout}`, async () => {
      const losses = lossesOfTest();
      const { url, port } = await sharedServer();
      const options = { url, keyPrefix: newPrefix(), partitions };
      const storages = await Promise.all(Array.from({ length: 4 }, () => opened(options)));
      await flush(port);
      await Promise.all([...storages, ...storages].map(enqueueTen));
      expect((await storages[0]?.counts({ queue: QUEUE }))?.["*"]?.ready).toBe(80);
      await until("it is told", async () => losses.length > 0);
      await sleep(100);
      expect(losses).toHaveLength(1);
      expect(losses[0]).toContain("append-only file is on now: look whether somebody flushed it");
      await flush(port);
      await Promise.all(storages.map(enqueueTen));
      await until("it is told again", async () => losses.length > 1);
    });

    test(`it is opened as it was${layout}`, async () => {
      const { url, port } = await sharedServer();
      const storage = redisStorage({ url, keyPrefix: newPrefix(), partitions }) as unknown as StorageContract;
      afterTest(() => storage.close());
      const retention = { completed: { for: 1e9, max: 0 }, failed: { for: 1e9, max: 1e6 } };
      await storage.open({ queue: QUEUE, retention, unknownAfter: 1 });
      await flush(port);
      const unknown = newJob({ task: "unknown", due: Date.now() - 1_000 });
      await storage.enqueue({ queue: QUEUE, flows: [alone(unknown), alone(newJob())] });
      for (const run of await claim(storage, "one", 5)) await complete(storage, "one", run);
      await sleep(5);
      await claim(storage, "one", 5);
      await storage.purge({ queue: QUEUE, limit: 10 });
      const counts = (await storage.counts({ queue: QUEUE }))["*"];
      expect(counts).toMatchObject({ completed: 0, quarantined: 1 });
    });
  }

  test("fences grow also where the epoch that was lost is ahead of the time", async () => {
    const { url, port } = await sharedServer();
    const storage = await opened({ url, keyPrefix: newPrefix() });
    const moving = { queue: QUEUE, departure: "d" };
    const { arrival = "" } = await storage.import({ ...moving, kind: "begin", epoch: 5_000 });
    await storage.import({ ...moving, kind: "seal" });
    await storage.import({ ...moving, kind: "open", arrival });
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    const old = await claimOne(storage, "one");
    expect(old.fence).toBeGreaterThan(5_000 * 2 ** 40);
    await flush(port);
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    expect((await claimOne(storage, "one")).fence).toBeGreaterThan(old.fence);
  });

  test("one partition alone: the others keep what they have", async () => {
    const losses = lossesOfTest();
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix, partitions: 3 });
    const flows = Array.from({ length: 90 }, () => alone(newJob()));
    await storage.enqueue({ queue: QUEUE, flows });
    const keys = (await ask(port, [["KEYS", `${keyPrefix}:{${QUEUE}:1}:*`]])).match(/\S+:\{main:1\}:\w+/g);
    await ask(port, [["DEL", ...(keys ?? [])]]);
    const runs = await claim(storage, "one", 100);
    expect(runs.length).toBeGreaterThan(45);
    expect(runs.length).toBeLessThan(75);
    for (const run of runs) expect(await complete(storage, "one", run)).toBe("applied");
    const told = 'partition 1 (of 3) of the queue "main" was gone';
    await until("it is told", async () => losses.some((message) => message.includes(told)));
  });

  test.each([0, 1])("partition %i alone: it is paused as the others are, and its tasks too", async (lost) => {
    const { url } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix, partitions: 3 });
    const control = (kind: "pause" | "resume", of?: string) =>
      storage.control({ queue: QUEUE, task: of, change: { kind } });
    await control("pause");
    await control("pause", "paused");
    const change = { kind: "revoke", once: false, until: Date.now() + 60_000 } as const;
    await storage.control({ queue: QUEUE, task: "revoked", change });
    const part = lost === 0 ? `{${QUEUE}}` : `{${QUEUE}:${lost}}`;
    const redis = new Redis(url);
    afterTest(() => redis.disconnect());
    const keys = await redis.keys(`${keyPrefix}:${part}:*`);
    expect(keys.length).toBeGreaterThan(1);
    await redis.del(...keys.filter((key) => !key.endsWith(":partitions")));
    const jobs = ["work", "paused", "revoked"].flatMap((name) =>
      Array.from({ length: 30 }, () => newJob({ task: name })),
    );
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    const tasks = ["work", "paused", "revoked"];
    const claimed = async (): Promise<readonly string[]> => {
      requests += 1;
      const step = { queue: QUEUE, owner: "one", request: requests, tasks, settled: [], begun: [] };
      const answer = await storage.step({ ...step, claim: { begin: 100, ahead: 0, lease: 30_000 } });
      return answer.claimed.map((run) => run.task);
    };
    expect(await claimed()).toEqual([]);
    await control("resume");
    expect(await claimed()).toEqual(Array.from({ length: 30 }, () => "work"));
    expect((await storage.counts({ queue: QUEUE }))["*"]).toMatchObject({ cancelled: 30, active: 30 });
    await control("resume", "paused");
    expect(await claimed()).toEqual(Array.from({ length: 30 }, () => "paused"));
  });

  test("a partition of which the own row alone is gone is paused as the others are, and that is told", async () => {
    const losses = lossesOfTest();
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix, partitions: 3 });
    await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 30 }, () => alone(newJob())) });
    await storage.control({ queue: QUEUE, task: undefined, change: { kind: "pause" } });
    await ask(port, [["DEL", `${keyPrefix}:{${QUEUE}:1}:queue`]]);
    await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 30 }, () => alone(newJob())) });
    expect(await claim(storage, "one", 100)).toEqual([]);
    expect((await storage.counts({ queue: QUEUE }))["*"]).toMatchObject({ ready: 60 });
    await until("it is told", async () => losses.length > 0);
    expect(losses).toEqual([
      expect.stringMatching(
        /made anew from its jobs.*paused and revoked there is what the other partitions say/,
      ),
    ]);
  });

  test("jobs whose rows are gone keep no others waiting", async () => {
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    for (let call = 0; call < 20; call += 1) await enqueueTen(storage);
    await ask(port, [["DEL", `${keyPrefix}:{${QUEUE}}:rows`]]);
    const job = newJob();
    await storage.enqueue({ queue: QUEUE, flows: [alone(job)] });
    const runs: ClaimedJob[] = [];
    for (let claims = 0; claims < 10; claims += 1) runs.push(...(await claim(storage, "one", 10)));
    expect(runs.map(({ id }) => id)).toEqual([job.id]);
    expect(await Promise.all(runs.map((run) => complete(storage, "one", run)))).toEqual(["applied"]);
    expect((await storage.counts({ queue: QUEUE }))["*"]?.ready).toBe(0);
  });

  test("a row of the queue that is removed alone is made anew from its jobs", async () => {
    const losses = lossesOfTest();
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    await enqueueTen(storage);
    const [first, second] = await claim(storage, "one", 2);
    if (first === undefined || second === undefined) throw new Error("nothing was claimed");
    await complete(storage, "one", first);
    const before = (await storage.counts({ queue: QUEUE }))["*"];
    await ask(port, [["DEL", `${keyPrefix}:{${QUEUE}}:queue`]]);
    const job = newJob({ id: "later" });
    await storage.enqueue({ queue: QUEUE, flows: [alone(job), alone(newJob({ after: [] }))] });
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    const after = (await storage.counts({ queue: QUEUE }))["*"];
    expect(after).toEqual({ ...before, ready: (before?.ready ?? 0) + 3 });
    expect(await complete(storage, "one", second)).toBe("applied");
    const others = await claim(storage, "one", 20);
    expect(others).toHaveLength(11);
    expect(others.every(({ fence }) => fence > second.fence)).toBe(true);
    await until("it is told", async () => losses.length > 0);
    expect(losses).toEqual([expect.stringMatching(/made anew from its jobs, which are kept/)]);
  });

  test("a row of the queue that somebody has written into is told with the way out, whatever is there now", async () => {
    const { url } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    await enqueueTen(storage);
    await storage.control({ queue: QUEUE, task: "other", change: { kind: "pause" } });
    await storage.control({
      queue: QUEUE,
      task: "third",
      change: { kind: "revoke", once: true, until: undefined },
    });
    const redis = new Redis(url);
    afterTest(() => redis.disconnect());
    const key = `${keyPrefix}:{${QUEUE}}:queue`;
    const row = await redis.getBuffer(key);
    if (row === null) throw new Error("there is no row");
    const about = { queue: QUEUE };
    const calls = [
      () => storage.counts(about),
      () => storage.list({ ...about, states: ["ready"], task: undefined, limit: 5, after: undefined }),
      () => storage.control({ ...about, task: "other", change: { kind: "inspect" } }),
      () => storage.explain({ ...about, ids: ["nobody"] }),
      () => storage.phase(about),
    ];
    // What is cut off behind what is always there, as the feed and a time for unknown tasks are not, cannot be told from a whole one.
    const whole = row.length - 2;
    const damaged = Array.from({ length: whole }, (_, size) => row.subarray(0, size));
    for (const byte of [0xc0, 0xa1, 0x01]) {
      for (let at = 0; at < whole; at += 2)
        damaged.push(Buffer.concat([row.subarray(0, at), Buffer.of(byte), row.subarray(at + 1)]));
    }
    const odd = new Set<string>();
    let refused = 0;
    for (const [number, bytes] of damaged.entries()) {
      await redis.set(key, bytes);
      const reasons = (await Promise.allSettled(calls.map((call) => call()))).flatMap((answer) =>
        answer.status === "rejected" ? [String(answer.reason)] : [],
      );
      for (const reason of reasons)
        if (!reason.includes("made anew from its jobs once it is gone (DEL)")) odd.add(reason);
      if (number < whole) refused += reasons.length;
    }
    expect([...odd]).toEqual([]);
    expect(refused).toBe(whole * calls.length);
    await redis.del(key);
    expect((await storage.counts(about))["*"]?.ready).toBe(10);
  });

  test("a row of the queue that is behind its jobs goes on behind them", async () => {
    const { url } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    const redis = new Redis(url);
    afterTest(() => redis.disconnect());
    const key = `${keyPrefix}:{${QUEUE}}:queue`;
    const before = (await redis.getBuffer(key)) ?? "";
    await enqueueTen(storage);
    await redis.set(key, before);
    await enqueueTen(storage);
    await redis.set(key, before);
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    expect(await claim(storage, "one", 30)).toHaveLength(21);
    expect((await storage.list({ queue: QUEUE, limit: 50 })).records.length).toBeGreaterThanOrEqual(20);
  });

  test.each(["lines", "gates", "holds"])("%s that are removed alone are made anew", async (name) => {
    const losses = lossesOfTest();
    const { storage, jobs, gates, begun, remove } = await lockedJobs();
    let runs = begun;
    await remove(name);
    // Another one stands in line: what was lost is not made anew by that.
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob({ gates }))] });
    runs = [...runs, ...(await claim(storage, "one", 5))];
    await storage.reap({ queue: QUEUE, limit: 10 });
    await until("it is told", async () => losses.length > 0);
    expect(losses).toEqual([expect.stringMatching(/they stand in line anew/)]);
    const ids = new Set<string>();
    while (runs.length > 0) {
      for (const run of runs) {
        ids.add(run.id);
        await complete(storage, "one", run);
      }
      runs = await claim(storage, "one", 5);
    }
    const counts = (await storage.counts({ queue: QUEUE }))["*"];
    expect(counts).toMatchObject({ parked: 0, ready: 0 });
    expect(jobs.filter(({ id }) => !ids.has(id))).toEqual([]);
  });

  test("a limit lets its line go though somebody has removed when it opens", async () => {
    const losses = lossesOfTest();
    const { storage, remove } = await lockedJobs();
    const gates = [{ kind: "limit", key: "often", max: 1, per: 300, onBusy: "wait" }] as const;
    const jobs = Array.from({ length: 2 }, () => newJob({ gates }));
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    const [first, ...others] = await claim(storage, "one", 5);
    expect([first?.id, others]).toEqual([jobs[0]?.id, []]);
    await remove("opening");
    // What another line does tells nothing of this one.
    const other = [{ ...gates[0], key: "seldom" }];
    await storage.enqueue({
      queue: QUEUE,
      flows: [newJob({ gates: other }), newJob({ gates: other })].map(alone),
    });
    expect(await claim(storage, "one", 5)).toHaveLength(1);
    await sleep(320);
    await storage.reap({ queue: QUEUE, limit: 10 });
    await until("it is told", async () => losses.length > 0);
    expect(losses).toEqual([expect.stringMatching(/when lines open by themselves .* made anew/)]);
    const runs = [...(await claim(storage, "one", 5)), ...(await claim(storage, "one", 5))];
    expect(runs.map(({ id }) => id)).toContain(jobs[1]?.id);
    await storage.reap({ queue: QUEUE, limit: 10 });
    await sleep(20);
    expect(losses).toHaveLength(1);
  });

  test.each(["ready", "scheduled", "active", "claims"])(
    "%s that are removed alone are made anew",
    async (name) => {
      const losses = lossesOfTest();
      const { url, port } = await sharedServer();
      const keyPrefix = newPrefix();
      const storage = await opened({ url, keyPrefix });
      const jobs = Array.from({ length: 30 }, () => newJob());
      const later = Array.from({ length: 5 }, () => newJob({ due: Date.now() + 3_600_000 }));
      await storage.enqueue({ queue: QUEUE, flows: [...jobs, ...later].map(alone) });
      let runs = await claim(storage, "one", 10);
      expect(runs).toHaveLength(10);
      await ask(port, [["DEL", `${keyPrefix}:{${QUEUE}}:${name}`]]);
      await storage.reap({ queue: QUEUE, limit: 10 });
      const done = new Set<string>();
      while (runs.length > 0) {
        for (const run of runs) if ((await complete(storage, "one", run)) === "applied") done.add(run.id);
        runs = await claim(storage, "one", 40);
      }
      expect(jobs.filter(({ id }) => !done.has(id))).toEqual([]);
      const counts = (await storage.counts({ queue: QUEUE }))["*"];
      expect(counts).toMatchObject({ ready: 0, active: 0, completed: 30, scheduled: 5 });
      await storage.reap({ queue: QUEUE, limit: 10 });
      await until("it is told", async () => losses.length > 0);
      expect(losses).toEqual([expect.stringMatching(/made anew from the jobs/)]);
    },
  );

  test("holders that are lost are noticed among many lines of limits", async () => {
    const losses = lossesOfTest();
    const { storage, jobs, remove } = await lockedJobs();
    const lines = Array.from({ length: 1_000 }, (_, n) => {
      const limit = { kind: "limit", key: `l${n}`, max: 1, per: 3_600_000, onBusy: "wait" } as const;
      return [newJob({ gates: [limit] }), newJob({ gates: [limit] })].map(alone);
    });
    await storage.enqueue({ queue: QUEUE, flows: lines.flat() });
    for (let turn = 0; turn < 40; turn += 1) await claim(storage, "one", 100);
    const parked = { parked: 1_000 + jobs.length - 1 };
    expect(await storage.counts({ queue: QUEUE })).toMatchObject({ "*": parked });
    await remove("holds");
    for (let turn = 0; turn < 100 && losses.length === 0; turn += 1) {
      await storage.reap({ queue: QUEUE, limit: 10 });
      await sleep(1);
    }
    expect(losses).toEqual([expect.stringMatching(/they stand in line anew/)]);
  });

  test("what somebody has written into claims and among scheduled jobs stops nothing, and runs of those claims are claimed again", async () => {
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    const jobs = Array.from({ length: 20 }, () => newJob());
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    const claimed = await claim(storage, "one", 10);
    const [claims, scheduled] = ["claims", "scheduled"].map((name) => `${keyPrefix}:{${QUEUE}}:${name}`);
    const redis = new Redis(url);
    afterTest(() => redis.disconnect());
    const fields = await redis.hkeys(String(claims));
    expect(fields).toHaveLength(1);
    await redis.hset(String(claims), String(fields[0]), "no claim of taskq", "no fence", "nor that");
    await ask(port, [["ZADD", String(scheduled), "1", "no", "2", "nobody"]]);
    const done = new Set<string>();
    let runs: readonly ClaimedJob[] = claimed;
    for (let turn = 0; turn < 6 && done.size < jobs.length; turn += 1) {
      for (const run of runs) if ((await complete(storage, "one", run)) === "applied") done.add(run.id);
      await storage.reap({ queue: QUEUE, limit: 10 });
      runs = await claim(storage, "one", 40);
    }
    expect(jobs.filter(({ id }) => !done.has(id))).toEqual([]);
    const counts = (await storage.counts({ queue: QUEUE }))["*"];
    expect(counts).toMatchObject({ ready: 0, active: 0, completed: 20, scheduled: 0 });
    expect(await redis.exists(String(claims))).toBe(0);
  });

  test("a lock of a run whose claim was removed goes on", async () => {
    const { storage, jobs, remove } = await lockedJobs();
    await remove("claims");
    await storage.reap({ queue: QUEUE, limit: 10 });
    const done: string[] = [];
    for (let runs = await claim(storage, "two", 5); runs.length > 0; runs = await claim(storage, "two", 5)) {
      expect(runs).toHaveLength(1);
      for (const run of runs) if ((await complete(storage, "two", run)) === "applied") done.push(run.id);
    }
    expect(done.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  });

  test("locks of runs whose rows and claims were removed go on", async () => {
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    const held = Array.from({ length: 100 }, (_, n) => locked(n));
    await storage.enqueue({ queue: QUEUE, flows: held.map(alone) });
    expect(await claim(storage, "one", 100)).toHaveLength(100);
    await storage.enqueue({ queue: QUEUE, flows: held.map((_, n) => alone(locked(n))) });
    expect(await claim(storage, "one", 100)).toEqual([]);
    const key = (name: string): string => `${keyPrefix}:{${QUEUE}}:${name}`;
    const rows = held.map(({ id }) => id.slice(0, PLACE));
    await ask(port, [
      ["HDEL", key("rows"), ...rows],
      ["DEL", key("claims")],
    ]);
    const runs: ClaimedJob[] = [];
    for (let turn = 0; turn < 40 && runs.length < 100; turn += 1) {
      await storage.reap({ queue: QUEUE, limit: 10 });
      runs.push(...(await claim(storage, "two", 100)));
    }
    expect(runs).toHaveLength(100);
    for (const run of runs) expect(await complete(storage, "two", run)).toBe("applied");
    expect(await ask(port, [["EXISTS", key("holds")]])).toContain("0");
  });

  test("many jobs are gone through in parts, when their queue or their places were removed", async () => {
    const { url, port } = await sharedServer();
    const keyPrefix = newPrefix();
    const storage = await opened({ url, keyPrefix });
    const flows = Array.from({ length: 11_000 }, () => alone(newJob()));
    await storage.enqueue({ queue: QUEUE, flows });
    await ask(port, [["DEL", `${keyPrefix}:{${QUEUE}}:queue`]]);
    const second = await opened({ url, keyPrefix });
    const runs = await Promise.all([claim(storage, "one"), claim(second, "two")]);
    expect(runs.map((own) => own.length)).toEqual([1, 1]);
    expect((await storage.counts({ queue: QUEUE }))["*"]).toMatchObject({
      ready: flows.length - 2,
      active: 2,
    });
    await ask(port, [["DEL", `${keyPrefix}:{${QUEUE}}:ready`, `${keyPrefix}:{${QUEUE}}:blocks`]]);
    const found = async (): Promise<number> => (await storage.counts({ queue: QUEUE }))["*"]?.ready ?? 0;
    const { nextAt } = await storage.reap({ queue: QUEUE, limit: 10 });
    expect(nextAt).toBeLessThan(Date.now() + 5_000);
    expect(await found()).toBeLessThan(flows.length);
    await storage.reap({ queue: QUEUE, limit: 10 });
    expect(await found()).toBe(flows.length - 2);
  });

  test("each process declares its schedules again, also if another one has opened the queue", async () => {
    const { url, port } = await sharedServer();
    const options = { url, keyPrefix: newPrefix() };
    const [first, second] = [await opened(options), await opened(options)];
    for (const name of ["a", "b", "removed"]) await declare(first, name);
    await declare(second, "c");
    await first.schedules({ queue: QUEUE, change: { kind: "remove", name: "removed" } });
    await flush(port);
    await first.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    expect(await namesIn(second)).toEqual(["c"]);
    expect(await namesIn(first)).toEqual(["a", "b", "c"]);
    await first.schedules({ queue: QUEUE, change: { kind: "remove", name: "b" } });
    expect(await namesIn(first)).toEqual(["a", "c"]);
    expect(await namesIn(second)).toEqual(["a", "c"]);
  });

  test("a queue that had moved away is not opened again", async () => {
    const { url, port } = await sharedServer();
    const options = { url, keyPrefix: newPrefix() };
    const [mover, other] = [await opened(options), await opened(options)];
    const { departure = "" } = await mover.export({ queue: QUEUE, kind: "begin" });
    await mover.export({ queue: QUEUE, kind: "finish", departure, destination: "there" });
    const enqueue = { queue: QUEUE, flows: [alone(newJob())] };
    expect((await refusalOf(other.enqueue(enqueue))).code).toBe("TASKQ_MOVED");
    await flush(port);
    for (const storage of [mover, other]) {
      const { code, message } = await refusalOf(storage.enqueue(enqueue));
      expect([code, message]).toEqual(["TASKQ_STORAGE", expect.stringContaining("is not open")]);
    }
  });

  test("a queue whose move was taken back is opened again", async () => {
    const { url, port } = await sharedServer();
    const options = { url, keyPrefix: newPrefix() };
    const [mover, other] = [await opened(options), await opened(options)];
    await mover.export({ queue: QUEUE, kind: "begin" });
    expect((await refusalOf(enqueueTen(other))).code).toBe("TASKQ_MOVED");
    await mover.export({ queue: QUEUE, kind: "cancel", destination: undefined });
    await enqueueTen(other);
    await flush(port);
    for (const storage of [other, mover]) await enqueueTen(storage);
    expect((await other.counts({ queue: QUEUE }))["*"]?.ready).toBe(20);
  });

  test("a storage that closes does not open it again", async () => {
    const { url, port } = await sharedServer();
    const storage = await opened({ url, keyPrefix: newPrefix() });
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    await complete(storage, "one", await claimOne(storage, "one"));
    await flush(port);
    await storage.close();
    expect(await ask(port, [["DBSIZE"]])).toMatch(/^:?0\b/);
  });
});

function lossMessage(...codes: ("TASKQ_REDIS_UNSEEN" | "TASKQ_REDIS_WAKE")[]): string {
  const findings = codes.map((code) => ({ weight: "told", code, message: code }) as const);
  return lossOf({ queue: "a", parts: undefined, description: "redis h:1", findings }).message;
}

test("a loss is told also where nobody may look why", () => {
  expect(lossMessage("TASKQ_REDIS_UNSEEN")).toContain("could not be seen");
  expect(lossMessage("TASKQ_REDIS_WAKE")).toContain("somebody flushed it");
  const unknown = { queue: "a", parts: { lost: [0, 2], of: 3 }, description: "d", findings: undefined };
  expect(lossOf(unknown).message).toMatch(
    /^d: partitions 0, 2 \(of 3\) of .* all its jobs, .* could not be seen$/,
  );
});
