// Rows that somebody has written into, by commands: they are put aside, and no other job waits for them.
import { createConsumer } from "@taskq/consumer";
import { createQueue, every, group, task, type JobInfo, type Result, type TaskqError } from "@taskq/core";
import type { ClaimedJob, StorageContract } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { KEY_NAMES } from "../src/lua/key-names.js";
import { keysOf } from "../src/queue-keys.js";
import { placeOf } from "../src/wire/rows.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { refusalOf } from "./support/callers.js";
import { alone, newJob, opened, QUEUE, step } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const add = task("add", { retries: 1 }, async ({ a }: { a: number }) => a);
const locked = task("locked", { lock: "one" }, async (n: number) => n);
const fail = task("fail", async (): Promise<number> => {
  throw new Error("no luck");
});
const sum = task("sum", async (numbers: readonly number[]) => numbers.length);
const alerts: string[] = [];
const alert = task("alert", async ({ id }: { id: string; error: unknown }) => void alerts.push(id));
const only = task("only", { unique: { key: "one", while: "unfinished" } }, async (n: number) => n);
const begun: string[] = [];
let letGo = (): void => {};
const holding = task("holding", { lock: "two" }, async (n: number, { id }) => {
  begun.push(id);
  if (n === 0) await new Promise<void>((done) => void (letGo = done));
  return n;
});
const limited = task("limited", { limit: { key: "few", max: 1, per: "2s" } }, async (n: number) => n);
const tasks = { add, locked, fail, sum, alert, only, holding, limited };

async function connected() {
  const server = await startTestServer();
  onTestFinished(() => server.stop());
  const redis = new Redis(server.url);
  onTestFinished(() => redis.disconnect());
  return { server, redis };
}

/** A queue by the contract alone. */
async function store() {
  const { server, redis } = await connected();
  const keyPrefix = newPrefix();
  const storage = await opened({ url: server.url, keyPrefix });
  const keyOf = (name: (typeof KEY_NAMES)[number]): string =>
    keysOf(keyPrefix, QUEUE)[KEY_NAMES.indexOf(name)] ?? "";
  return { redis, storage, keyOf };
}

async function setUp() {
  const { server, redis } = await connected();
  const logged: string[] = [];
  const write = (fields: object): void => void logged.push(JSON.stringify(fields));
  const logger = { debug() {}, info() {}, warn: write, error: write } as never;
  const storage = redisStorage({ url: server.url, keyPrefix: server.keyPrefix });
  const queue = createQueue({ storage, tasks, logger });
  onTestFinished(() => queue.close());
  const key = (name: (typeof KEY_NAMES)[number]): string =>
    keysOf(server.keyPrefix, queue.name)[KEY_NAMES.indexOf(name)] ?? "";
  return { redis, queue, key, logged, storage: storage as unknown as StorageContract };
}

type Damage = (row: Buffer) => Buffer | undefined;
const DAMAGES: readonly (readonly [what: string, damage: Damage])[] = [
  ["removed", () => undefined],
  ["another text", () => Buffer.from("no row of taskq")],
  ["empty", () => Buffer.alloc(0)],
  ["bytes that are never packed", () => Buffer.alloc(80, 0xff)],
  ["cut off behind its head", (row) => row.subarray(0, 12)],
  ["cut off within its body", (row) => row.subarray(0, row.length - 12)],
  ["made of numbers", (row) => Buffer.concat([row.subarray(0, 11), Buffer.alloc(21, 1)])],
  ["followed by more", (row) => Buffer.concat([row, Buffer.from([0xc1])])],
];

describe.skipIf(!hasTestServer)("a row that is damaged", () => {
  describe.each(DAMAGES)("%s", (_, damage) => {
    test.each([
      ["of a plain job", add.job({ a: 0 })],
      ["of a job with a lock", locked.job(0)],
      ["of the first stage of a flow", add.job({ a: 0 }).pipe(add, { a: 1 } as never)],
    ])(
      "%s keeps no other waiting",
      async (_what, job) => {
        const { redis, queue, key } = await setUp();
        const victim = await queue.enqueue(job);
        const place = placeOf(victim.stages[0]?.id ?? "") ?? "";
        const others = await queue.enqueueMany([1, 2, 3].map((a) => add.job({ a })));
        const same = await queue.enqueue(locked.job(4));
        const row = await redis.hgetBuffer(key("rows"), place);
        const damaged = damage(row ?? Buffer.alloc(0));
        if (damaged === undefined) await redis.hdel(key("rows"), place);
        else await redis.hset(key("rows"), place, damaged);
        const consumer = createConsumer(queue, { workers: 2 });
        await consumer.start();
        onTestFinished(() => consumer.stop());
        const ends = await Promise.all(others.map((other) => other.wait({ timeout: "20s" })));
        expect([...ends, await same.wait({ timeout: "20s" })]).toEqual([1, 2, 3, 4]);
        const later = await queue.enqueue(add.job({ a: 5 }));
        expect(await later.wait({ timeout: "20s" })).toBe(5);
        await expect.poll(async () => (await queue.counts()).ready, { timeout: 20_000 }).toBe(0);
        const jobs: JobInfo[] = [];
        for await (const info of queue.jobs()) jobs.push(info);
        expect(jobs.filter(({ state }) => state === "completed").length).toBeGreaterThanOrEqual(5);
      },
      60_000,
    );
  });

  test("ends quarantined, with what was stored of it", async () => {
    const { redis, queue, key } = await setUp();
    const victim = await queue.enqueue(add.job({ a: 0 }));
    const place = placeOf(victim.id) ?? "";
    await redis.hset(key("rows"), place, "no row of taskq");
    const consumer = createConsumer(queue, { workers: 1 });
    await consumer.start();
    onTestFinished(() => consumer.stop());
    await expect.poll(async () => (await queue.counts()).quarantined, { timeout: 20_000 }).toBe(1);
    const jobs: JobInfo[] = [];
    for await (const job of queue.jobs({ state: "quarantined" })) jobs.push(job);
    expect(jobs).toHaveLength(1);
    expect(jobs[0]?.id.slice(0, 14)).toBe(place);
    expect(jobs[0]?.quarantine).toMatchObject({
      code: "TASKQ_STORAGE",
      reason: expect.stringMatching(/damaged/),
    });
    expect(Buffer.from(jobs[0]?.quarantine?.bytes ?? []).toString()).toBe("no row of taskq");
  }, 60_000);
});

describe.skipIf(!hasTestServer)("whoever waits for a job whose row is damaged", () => {
  const DAMAGE = Object.fromEntries(DAMAGES);

  /** Of each flow one row, the first to the last: what its handle is told. */
  test.each(["removed", "another text", "cut off behind its head"])(
    "%s is told",
    async (what) => {
      const { redis, queue, key } = await setUp();
      const rows = key("rows");
      const damageRow = async (place: string): Promise<void> => {
        const damaged = DAMAGE[what]?.((await redis.hgetBuffer(rows, place)) ?? Buffer.alloc(0));
        if (damaged === undefined) await redis.hdel(rows, place);
        else await redis.hset(rows, place, damaged);
      };
      const results: Result[] = [];
      const flows = [
        () =>
          add
            .job({ a: 1 })
            .pipe(add, { a: 2 } as never)
            .pipe(add, { a: 3 } as never),
        () => group([add.job({ a: 1 }), add.job({ a: 2 })]).pipe(sum),
        () => group([add.job({ a: 1 }), add.job({ a: 2 })]),
      ];
      for (const flow of flows) {
        for (let row = 0; ; row += 1) {
          const before = new Set(await redis.hkeys(rows));
          const result = await queue.enqueue(flow() as never);
          const places = (await redis.hkeys(rows)).filter((place) => !before.has(place)).toSorted();
          const place = places[row];
          if (place === undefined) break;
          await damageRow(place);
          results.push(result);
        }
      }
      const handled = await queue.enqueue(add.job({ a: 4 }).onError(alert));
      await damageRow(placeOf(handled.id) ?? "");
      // These two begin first: one is damaged while it runs and holds the lock, the other one waits for the lock.
      const held = await queue.enqueue(holding.job(0).pipe(holding), { priority: 2 });
      const next = await queue.enqueue(holding.job(1), { priority: 1 });
      const consumer = createConsumer(queue, { workers: 2 });
      await consumer.start();
      onTestFinished(() => consumer.stop());
      await expect.poll(() => begun, { timeout: 20_000 }).toContain(held.stages[0]?.id);
      await damageRow(placeOf(held.stages[0]?.id ?? "") ?? "");
      letGo();
      expect(await next.wait({ timeout: "20s" })).toBe(1);
      const ends = await Promise.all(
        [...results, held].map((result) => refusalOf(result.wait({ timeout: "20s" }))),
      );
      expect(ends).toHaveLength(3 + 4 + 3 + 1);
      // Of the last of a flow that is gone, for which nobody waits, there is nothing to tell.
      const codes = ["TASKQ_SKIPPED", "TASKQ_QUARANTINED", ...(what === "removed" ? ["TASKQ_STORAGE"] : [])];
      expect(ends.filter(({ code }) => !codes.includes(code))).toEqual([]);
      await expect.poll(() => alerts, { timeout: 20_000 }).toContain(handled.id);
      expect(consumer.health().connected).toBe(true);
    },
    60_000,
  );

  test("and takes its unique key", async () => {
    const { redis, queue, key } = await setUp();
    for (const what of ["removed", "another text", "cut off behind its head"]) {
      const first = await queue.enqueue(only.job(1), { delay: "1h" });
      const place = placeOf(first.id) ?? "";
      const damaged = DAMAGE[what]?.((await redis.hgetBuffer(key("rows"), place)) ?? Buffer.alloc(0));
      await redis.hdel(key("rows"), place);
      if (damaged !== undefined) await redis.hset(key("rows"), place, damaged);
      const second = await queue.enqueue(only.job(2), { delay: "1h" });
      expect(second.existing).toBe(false);
      expect((await queue.enqueue(only.job(3))).id).toBe(second.id);
      await second.revoke();
    }
  });
});

describe.skipIf(!hasTestServer)("a schedule that is damaged", () => {
  test.each(["", "rubbish", "\u0001", "\u00C0"])(
    "%j is told of once, and all else goes on",
    async (text) => {
      const { redis, queue, key, logged } = await setUp();
      const schedule = every("1s");
      await queue.schedules.upsert("damaged", { schedule, job: add.job({ a: 1 }) });
      await queue.schedules.upsert("sound", { schedule, job: add.job({ a: 2 }) });
      await redis.hset(key("schedules"), "damaged", text);
      const consumer = createConsumer(queue, { workers: 1 });
      await consumer.start();
      onTestFinished(() => consumer.stop());
      await expect.poll(async () => (await queue.counts()).completed, { timeout: 20_000 }).toBeGreaterThan(1);
      expect(consumer.health().connected).toBe(true);
      expect(logged.filter((line) => line.includes('"damaged"'))).toHaveLength(1);
      const listed: string[] = [];
      for await (const { name, expression } of queue.schedules.list()) listed.push(`${name} ${expression}`);
      expect(listed.toSorted()).toEqual(["damaged ?", "sound 1s"]);
      expect(await queue.schedules.remove("damaged")).toBe(true);
    },
    60_000,
  );
});

/** A job that has failed once and left a line in its log, and its row. */
async function endedJob() {
  const { redis, storage, keyOf } = await store();
  const job = newJob();
  await storage.enqueue({ queue: QUEUE, flows: [alone(job)] });
  const [run] = (await step(storage, { claim: { begin: 1, ahead: 0, lease: 30_000 } })).claimed;
  const { fence } = run as ClaimedJob;
  const note = {
    queue: QUEUE,
    run: { id: job.id, fence },
    kind: "log",
    bytes: Buffer.from("line"),
  } as const;
  await storage.note(note);
  const outcome = { kind: "failed", error: Buffer.from("boom") } as const;
  await step(storage, { settled: [{ id: job.id, fence, startedAt: 1, outcome, add: undefined }] });
  return { redis, storage, id: job.id, place: placeOf(job.id) ?? "", keyOf };
}

async function removes(storage: StorageContract, id: string): Promise<void> {
  const [told] = await storage.read({ queue: QUEUE, ids: [id], whole: true });
  expect(told).toMatchObject({ state: "failed" });
  await storage.notes({ queue: QUEUE, id });
  const { changed } = await storage.amend({ queue: QUEUE, ids: [id], change: { kind: "remove" } });
  expect(changed).toEqual([id]);
}

describe.skipIf(!hasTestServer)("a number that no loop would come to the end of", () => {
  test.each(["1e300", "inf", "nan", "-1", "rubbish"])("%s lines in a log", async (lines) => {
    const { redis, storage, id, place, keyOf } = await endedJob();
    expect(await storage.notes({ queue: QUEUE, id })).toHaveLength(1);
    await redis.hset(keyOf("stories"), `n:${place}`, lines);
    await removes(storage, id);
  });

  test("2 ** 53 attempts", async () => {
    const { redis, storage, id, place, keyOf } = await endedJob();
    const row = (await redis.hgetBuffer(keyOf("rows"), place)) ?? Buffer.alloc(0);
    // What few rows have: of this one the number 5, its attempts, and 24, that it has notes.
    const at = row.indexOf(Buffer.from([0x94, 5, 1, 24, 0xc3]));
    expect(at).toBeGreaterThan(0);
    const many = Buffer.from([0x94, 5, 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0, 24, 0xc3]);
    await redis.hset(keyOf("rows"), place, Buffer.concat([row.subarray(0, at), many, row.subarray(at + 5)]));
    await removes(storage, id);
  });
});

describe.skipIf(!hasTestServer)("what stands beside the rows, and is damaged", () => {
  test.each([
    ["rubbish", Buffer.from("rubbish")],
    ["nothing", Buffer.alloc(0)],
    ["bytes that are never packed", Buffer.alloc(40, 0xc1)],
    ["a list of numbers", Buffer.from([0x93, 1, 2, 3])],
  ])(
    "%s in place of the members of a group: what follows is put aside, and no other job waits",
    async (_what, damaged) => {
      const { redis, queue, key } = await setUp();
      const whole = await queue.enqueue(group([1, 2, 3].map((a) => add.job({ a }))).pipe(sum));
      const broken = await queue.enqueue(group([add.job({ a: 1 }), fail.job(), add.job({ a: 2 })]).pipe(sum));
      const revoked = await queue.enqueue(group([1, 2, 3].map((a) => add.job({ a }))).pipe(sum));
      for (const field of await redis.hkeysBuffer(key("members")))
        await redis.hset(key("members"), field, damaged);
      const last = await queue.enqueue(group([add.job({ a: 7 })]).pipe(sum));
      await revoked.revoke();
      const consumer = createConsumer(queue, { workers: 2, lease: "1s" });
      onTestFinished(() => consumer.stop());
      await consumer.start();
      expect(await last.wait({ timeout: "20s" })).toBe(1);
      await expect(whole.wait({ timeout: "20s" })).rejects.toMatchObject({
        error: { code: "TASKQ_QUARANTINED", details: { code: "TASKQ_SIGNATURE" } },
      });
      await expect(broken.wait({ timeout: "20s" })).rejects.toMatchObject({ code: "TASKQ_SKIPPED" });
      await expect.poll(() => revoked.state(), { timeout: 20_000 }).toMatch(/cancelled|skipped/);
      await expect.poll(async () => (await queue.counts()).active, { timeout: 20_000 }).toBe(0);
      for (const { id } of [whole, broken, revoked]) expect(await queue.why(id)).toMatchObject({ id });
    },
  );

  test.each(["", "\u0001", "\u0002", "x"])(
    "%j in place of a completed job keeps no flush from its end",
    async (member) => {
      const { redis, queue, key } = await setUp();
      const consumer = createConsumer(queue, { workers: 1 });
      await consumer.start();
      await (await queue.enqueue(add.job({ a: 1 }), { id: "first" })).wait();
      const result = await queue.enqueue(add.job({ a: 1 }));
      await result.wait();
      await consumer.stop();
      for (const own of await redis.zrangeBuffer(key("done"), "0", "-1")) {
        const at = Number(await redis.zscore(key("done"), own));
        await redis.zrem(key("done"), own);
        await redis.zadd(key("done"), at, member);
      }
      await queue.flush({ confirm: queue.name });
      expect(await queue.job(result.id)).toBeUndefined();
    },
  );

  test.each(["gates", "limits", "uniques", "memory", "owners", "values"] as const)(
    "%s: no job waits for ever",
    async (name) => {
      const { redis, queue, key, storage } = await setUp();
      await queue.values.set("kept", 1);
      await queue.values.set("soon over", 1, { ttl: "1s" });
      const jobs = [
        add.job({ a: 0 }),
        locked.job(0),
        limited.job(0),
        limited.job(0),
        only.job(0),
        locked.job(0),
      ];
      const results: Result[] = [];
      for (const [n, job] of jobs.entries()) results.push(await queue.enqueue(job, { id: `job ${n}` }));
      // Somebody has claimed some, and is gone.
      for (const owner of ["gone 1", "gone 2"]) {
        const claim = { begin: 3, ahead: 0, lease: 500 };
        await step(storage, { queue: queue.name, owner, tasks: Object.keys(tasks), claim });
      }
      for (const field of await redis.hkeysBuffer(key(name))) await redis.hset(key(name), field, "rubbish");
      const consumer = createConsumer(queue, { workers: 2, lease: "1s" });
      await consumer.start();
      onTestFinished(() => consumer.stop());
      for (const result of results) expect(await result.wait({ timeout: "20s" })).toBe(0);
      expect(await (await queue.enqueue(only.job(1))).wait({ timeout: "20s" })).toBe(1);
      expect(consumer.health().connected).toBe(true);
      const told = await queue.values.get("kept").then(String, ({ code }: TaskqError) => code);
      expect(told).toMatch(name === "values" ? /^TASKQ_/ : /^1$/);
    },
    60_000,
  );

  test("an entry of the ready ones that is not its row's keeps nobody waiting, and its job runs once", async () => {
    const { redis, storage, keyOf } = await store();
    const jobs = [newJob(), newJob(), newJob()];
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    const [first = Buffer.alloc(0)] = await redis.zrangeBuffer(keyOf("ready"), "0", "0");
    const damaged = Buffer.from(first);
    damaged.fill(0, 0, 6);
    await redis.zrem(keyOf("ready"), first);
    await redis.zadd(keyOf("ready"), 0, damaged);
    // So that claims go the long way.
    await storage.control({
      queue: QUEUE,
      task: "other",
      change: { kind: "revoke", once: true, until: undefined },
    });
    const claimed: string[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const answer = await step(storage, { claim: { begin: 1, ahead: 0, lease: 30_000 } });
      claimed.push(...answer.claimed.map(({ id }) => id));
      await storage.reap({ queue: QUEUE, limit: 10 });
    }
    expect(claimed.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  });
});

describe.skipIf(!hasTestServer)("a job in a state that there is none of", () => {
  test("leaves others that are stored with it their own answers", async () => {
    const { redis, storage, keyOf } = await store();
    const flows = ["first", "second"].map((id) => alone(newJob({ id })));
    await storage.enqueue({ queue: QUEUE, flows });
    const rows = keyOf("rows");
    const row = (await redis.hgetBuffer(rows, "!first")) ?? Buffer.alloc(0);
    // The state stands before the task.
    row[row.indexOf(Buffer.from([0xa4, ...Buffer.from("work")])) - 1] = 20;
    await redis.hset(rows, "!first", row);
    const answer = await storage.enqueue({ queue: QUEUE, flows });
    expect("flows" in answer ? answer.flows[1] : answer).toEqual({
      status: "existing",
      id: "second",
      state: "ready",
    });
  });
});
