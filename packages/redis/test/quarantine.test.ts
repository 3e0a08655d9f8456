// Bodies of jobs that were written by hand: put aside with reason and bytes, and in nobody's way.
import { malformedMessages } from "@taskq/conformance";
import { createConsumer } from "@taskq/consumer";
import { createQueue, task, type JobInfo } from "@taskq/core";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { wakeChannel } from "../src/names.js";
import { keysOf } from "../src/queue-keys.js";
import { KEY_NAMES } from "../src/lua/key-names.js";
import { placeOf } from "../src/wire/rows.js";
import { hasTestServer, startTestServer } from "./servers/test-server.js";

const ran: number[] = [];
const add = task("add", { retries: 3 }, async ({ a }: { a: number }) => {
  ran.push(a);
  return a;
});

async function setUp() {
  const server = await startTestServer();
  onTestFinished(() => server.stop());
  const redis = new Redis(server.url);
  onTestFinished(() => redis.disconnect());
  const storage = redisStorage({ url: server.url, keyPrefix: server.keyPrefix });
  const queue = createQueue({ storage, tasks: { add } });
  onTestFinished(() => queue.close());
  const key = keysOf(server.keyPrefix, queue.name)[KEY_NAMES.indexOf("bodies")] ?? "";
  return { server, redis, storage, queue, bodies: key };
}

/** Large enough to stand apart from its row, where it can be written by a command. */
const PADDING = "x".repeat(600);

describe.skipIf(!hasTestServer)("quarantine", () => {
  test("500 malformed messages among 500 good ones are put aside with reason and bytes, and the good ones run", async () => {
    const { redis, queue, bodies } = await setUp();
    const malformed = malformedMessages(500, 12);
    const bad = new Map<string, Uint8Array>();
    for (let from = 0; from < 500; from += 100) {
      await queue.enqueueMany(Array.from({ length: 100 }, (_, a) => add.job({ a: from + a })));
      const padded = Array.from({ length: 100 }, (_, a) => ({
        job: add.job({ a }),
        headers: { padding: PADDING },
      }));
      const stored = await queue.enqueueMany(padded);
      const writing = redis.pipeline();
      for (const [index, { id }] of stored.entries()) {
        const body = malformed[from + index] ?? new Uint8Array();
        bad.set(id, body);
        writing.hset(bodies, `b:${placeOf(id)}`, Buffer.from(body));
      }
      const answers = await writing.exec();
      // Each was there before.
      expect(answers?.every(([error, created]) => error === null && created === 0)).toBe(true);
    }
    ran.length = 0;
    const consumer = createConsumer(queue, { workers: 10 });
    await consumer.start();
    await expect
      .poll(async () => (await queue.counts()).ready + (await queue.counts()).active, {
        timeout: 30_000,
        interval: 50,
      })
      .toBe(0);
    await consumer.stop();
    expect(await queue.counts()).toMatchObject({ completed: 500, quarantined: 500, failed: 0, skipped: 0 });
    expect(ran.length).toBe(500);
    const jobs: JobInfo[] = [];
    for await (const job of queue.jobs({ state: "quarantined" })) jobs.push(job);
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set(bad.keys()));
    const wrong = jobs.filter(({ id, quarantine }) => {
      const right = Buffer.from(bad.get(id) ?? []).equals(Buffer.from(quarantine?.bytes ?? []));
      return (
        !right ||
        quarantine?.reason.startsWith("the job cannot be read: ") !== true ||
        quarantine.code === undefined
      );
    });
    expect(wrong).toEqual([]);
    const [first] = jobs;
    expect((await queue.job(first?.id ?? ""))?.quarantine).toEqual(first?.quarantine);
  }, 60_000);

  test("what others publish on the channel of hints ends no process", async () => {
    const { server, redis, queue } = await setUp();
    const consumer = createConsumer(queue, { workers: 1 });
    await consumer.start();
    const channel = wakeChannel(server.keyPrefix, queue.name);
    const rubbish = [
      "",
      "x",
      "\u0000",
      "__proto__",
      "{}",
      [0xc0],
      [0x91],
      [0x81, 0xa5],
      [0xdd, 0xff, 0xff, 0xff, 0xff],
    ];
    for (const message of rubbish) {
      await redis.publish(channel, typeof message === "string" ? message : Buffer.from(message));
    }
    const result = await queue.enqueue(add.job({ a: 4 }));
    expect(await result.wait({ timeout: "10s" })).toBe(4);
    await consumer.stop();
  }, 30_000);

  test("names that every object has are names as any other, of values, schedules, locks and limits", async () => {
    const { queue } = await setUp();
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      expect(await queue.values.get(name)).toBeUndefined();
      await queue.values.set(name, { name });
      expect(await queue.values.get(name)).toEqual({ name });
      expect(await queue.job(name)).toBeUndefined();
      expect((await queue.why(name)).state).toBe("unknown");
      expect(await queue.schedules.remove(name)).toBe(false);
      const lock = queue.lock(name);
      await using held = await lock.acquire();
      expect(held.name).toBe(name);
      await queue.limit(name, { max: 1, per: "1s" }).acquire();
    }
    expect(Object.keys(Object)).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  }, 30_000);

  test.each([1, 3])(
    "a task may be called as a property that every object has (partitions: %i)",
    async (partitions) => {
      const { server } = await setUp();
      const constructor = task("constructor", async (input: number) => input);
      const storage = redisStorage({ url: server.url, keyPrefix: server.keyPrefix, partitions });
      const queue = createQueue({ storage, tasks: { constructor }, name: "named" });
      onTestFinished(() => queue.close());
      await queue.enqueue(constructor.job(1));
      for (const _ of [1, 2]) expect((await queue.counts({ by: "task" }))["constructor"]?.ready).toBe(1);
      expect(Object.keys(Object)).toEqual([]);
      const { tasks } = await queue.stats({ by: "task" });
      expect(tasks["constructor"]?.oldestWaitingMs).toBeGreaterThanOrEqual(0);
    },
  );
});
