// Rows that somebody has written into, by commands: they are put aside, and no other job waits for them.
import { createConsumer } from "@taskq/consumer";
import { createQueue, every, task, type JobInfo } from "@taskq/core";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { KEY_NAMES } from "../src/lua/key-names.js";
import { keysOf } from "../src/queue-keys.js";
import { placeOf } from "../src/wire/rows.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";

const add = task("add", { retries: 1 }, async ({ a }: { a: number }) => a);
const locked = task("locked", { lock: "one" }, async (n: number) => n);
const tasks = { add, locked };

async function setUp() {
  const server = await startTestServer();
  onTestFinished(() => server.stop());
  const redis = new Redis(server.url);
  onTestFinished(() => redis.disconnect());
  const logged: string[] = [];
  const write = (fields: object): void => void logged.push(JSON.stringify(fields));
  const logger = { debug() {}, info() {}, warn: write, error: write } as never;
  const storage = redisStorage({ url: server.url, keyPrefix: server.keyPrefix });
  const queue = createQueue({ storage, tasks, logger });
  onTestFinished(() => queue.close());
  const key = (name: (typeof KEY_NAMES)[number]): string =>
    keysOf(server.keyPrefix, queue.name)[KEY_NAMES.indexOf(name)] ?? "";
  return { redis, queue, key, logged };
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
