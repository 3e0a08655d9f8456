/** Waiting for results: by hints that carry them, and without. */
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createConsumer, type Consumer } from "@taskq/consumer";
import { createQueue, jsonSerializer, task, type Queue, type Storage } from "@taskq/core";
import type { StorageContract, WatchHint } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { beforeAll, describe, expect, test } from "vitest";
import { pack } from "../src/wire/pack.js";
import { redisStorage } from "../src/index.js";
import { finalChannel, wakeChannel } from "../src/names.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";
import { newPrefix } from "./support/store.js";

const double = task("double", ({ n }: { n: number }) => ({ twice: 2 * n }));
const large = task("large", ({ n }: { n: number }) => "x".repeat(n));
const slow = task("slow", async ({ n }: { n: number }) => {
  await sleep(n);
  return n;
});
const tasks = { double, large, slow };
type TestQueue = Queue<keyof typeof tasks>;
type Serializer = Parameters<typeof createQueue>[0]["serializer"];

let server: RedisServer;
beforeAll(async () => {
  if (serverBinary() === undefined) return;
  server = await startRedisServer();
  return () => server.stop();
});

interface Process {
  readonly queue: TestQueue;
  /** Reads of its storage so far. */
  readonly reads: () => number;
}

interface ProcessOptions {
  readonly prefix: string;
  readonly database?: number;
  readonly serializer?: Serializer;
  /** Hints that are lost on the way. */
  readonly loses?: (hint: WatchHint) => boolean;
}

/** As another process would have it: connections of its own. */
function processOf({ prefix, database = 0, serializer, loses }: ProcessOptions): Process {
  const storage = redisStorage({ url: `${server.url}/${database}`, keyPrefix: prefix });
  let reads = 0;
  const counted = new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name === "read") reads += 1;
      if (name === "watch" && loses !== undefined) return losing(target as unknown as StorageContract, loses);
      return value.bind(target) as unknown;
    },
  }) as Storage;
  const queue = createQueue({ storage: counted, tasks, ...(serializer === undefined ? {} : { serializer }) });
  afterTest(() => queue.close());
  return { queue, reads: () => reads };
}

function losing(storage: StorageContract, loses: (hint: WatchHint) => boolean): StorageContract["watch"] {
  return (queue, listener, options) =>
    storage.watch(queue, (hint) => (loses(hint) ? undefined : listener(hint)), options);
}

async function consumerOf(queue: TestQueue): Promise<Consumer> {
  const consumer = createConsumer(queue, { workers: 4 });
  await consumer.start();
  afterTest(() => consumer.stop());
  return consumer;
}

/** Until both sides know that they hear each other. */
async function warm({ queue }: Process): Promise<void> {
  for (let n = 0; n < 20; n += 1) await (await queue.enqueue(double.job({ n }))).wait();
}

describe.skipIf(serverBinary() === undefined)("waiting for a result", () => {
  test("in a queue that is watched already reads nothing: the hint carries the result", async () => {
    const prefix = newPrefix();
    const waiting = processOf({ prefix });
    await consumerOf(processOf({ prefix }).queue);
    await warm(waiting);
    const before = waiting.reads();
    const waits = 100;
    for (let n = 0; n < waits; n += 1) {
      expect(await (await waiting.queue.enqueue(double.job({ n }))).wait()).toEqual({ twice: 2 * n });
    }
    // Once a second a step takes the long way, whose hint names the job only.
    expect(waiting.reads() - before).toBeLessThan(waits / 2);
  });

  test("that does not fit into a hint is read", async () => {
    const prefix = newPrefix();
    const waiting = processOf({ prefix });
    await consumerOf(processOf({ prefix }).queue);
    await warm(waiting);
    const before = waiting.reads();
    for (const n of [100, 510, 511, 600, 100_000]) {
      expect(await (await waiting.queue.enqueue(large.job({ n }))).wait()).toBe("x".repeat(n));
    }
    expect(waiting.reads() - before).toBeGreaterThanOrEqual(2);
  });

  test("that was there before anybody waited for it looks at once", async () => {
    const prefix = newPrefix();
    const waiting = processOf({ prefix });
    const other = processOf({ prefix });
    await consumerOf(other.queue);
    await warm(waiting);
    for (let n = 0; n < 5; n += 1) {
      const result = await waiting.queue.enqueue(double.job({ n }));
      expect(await other.queue.result(result.id).wait()).toEqual({ twice: 2 * n });
      // The watch goes on meanwhile, and has heard of it.
      await sleep(20);
      const before = waiting.reads();
      expect(await result.wait()).toEqual({ twice: 2 * n });
      expect(await result.wait()).toEqual({ twice: 2 * n });
      expect(waiting.reads() - before).toBe(2);
    }
  });

  test("that begins while the job ends loses none", { timeout: 30_000 }, async () => {
    const prefix = newPrefix();
    const waiting = processOf({ prefix });
    const other = processOf({ prefix });
    await consumerOf(other.queue);
    await warm(waiting);
    const begun = performance.now();
    const values = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const result = await waiting.queue.enqueue(slow.job({ n: n % 7 }));
        await sleep(Math.random() * 10);
        return [await result.wait(), await other.queue.result(result.id).wait()];
      }),
    );
    expect(values).toEqual(Array.from({ length: 200 }, (_, n) => [n % 7, n % 7]));
    // One that waited for a safety look would have taken two seconds for each of several rounds.
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  test.each([
    ["with what they carry", (hint: WatchHint) => hint.kind === "final"],
    ["of whatever kind", () => true],
  ])("whose hints are lost %s gets its result all the same", async (_how, loses) => {
    const prefix = newPrefix();
    const lost = { yes: false };
    const waiting = processOf({ prefix, loses: (hint) => lost.yes && loses(hint) });
    await consumerOf(processOf({ prefix }).queue);
    await warm(waiting);
    lost.yes = true;
    const result = await waiting.queue.enqueue(double.job({ n: 21 }));
    expect(await result.wait({ timeout: "9s" })).toEqual({ twice: 42 });
  });

  test("whose connection is killed again and again gets every result", { timeout: 60_000 }, async () => {
    const prefix = newPrefix();
    const waiting = processOf({ prefix });
    await consumerOf(processOf({ prefix }).queue);
    await warm(waiting);
    const killer = new Redis(server.url);
    afterTest(() => killer.disconnect());
    const killing = { ends: false };
    const kills = (async () => {
      for (let round = 0; !killing.ends; round += 1) {
        await killer.call("CLIENT", "KILL", "TYPE", round % 3 === 2 ? "normal" : "pubsub", "SKIPME", "yes");
        await sleep(20 + Math.random() * 60);
      }
    })();
    try {
      for (let n = 0; n < 500; n += 1) {
        expect(await (await waiting.queue.enqueue(double.job({ n }))).wait()).toEqual({ twice: 2 * n });
      }
    } finally {
      killing.ends = true;
      await kills;
    }
    const counts = await waiting.queue.counts();
    // Each was stored once, however often it was sent.
    expect(counts.completed).toBe(520);
  });
});

describe.skipIf(serverBinary() === undefined)("a hint that anybody published", () => {
  async function setUp(serializer?: Serializer) {
    const prefix = newPrefix();
    const shared = serializer === undefined ? {} : { serializer };
    const waiting = processOf({ prefix, ...shared });
    const working = processOf({ prefix, ...shared });
    const consumer = await consumerOf(working.queue);
    await warm(waiting);
    const client = new Redis(server.url);
    afterTest(() => client.disconnect());
    const channel = finalChannel(wakeChannel(prefix, "default"));
    const publish = (hint: unknown): Promise<number> =>
      client.publish(channel, Buffer.isBuffer(hint) ? hint : pack(hint));
    return { prefix, waiting, working, consumer, publish };
  }

  const bytes = Buffer.from('{"twice":1}');

  /** JSON behind a seal. */
  function sealing(): Serializer {
    const seal = (text: Uint8Array): Buffer => createHmac("sha256", "secret").update(text).digest();
    const { encode, decode } = jsonSerializer();
    return {
      id: "sealed",
      encode(value, context) {
        const text = encode(value, context);
        return Buffer.concat([seal(text), text]);
      },
      decode(sealed, context) {
        const text = sealed.subarray(32);
        if (!seal(text).equals(sealed.subarray(0, 32))) throw new Error("another seal");
        return decode(text, context);
      },
    };
  }

  test("and that is not as ours are is no result", async () => {
    const { waiting, consumer, publish } = await setUp();
    await waiting.queue.pause();
    const result = await waiting.queue.enqueue(double.job({ n: 4 }));
    const { id } = result;
    const wait = result.wait({ timeout: "20s" });
    const job = { id, task: "double", fence: 1, bytes };
    for (const hint of [
      Buffer.from([0xc1, 0xff]),
      Buffer.alloc(100_000, 0x91),
      { final: [id], completed: id, database: 0 },
      { final: [id], completed: [id, 7, [], null], database: 0 },
      { final: [id], completed: [{ ...job, bytes: 7 }], database: 0 },
      { final: [id], completed: [{ ...job, fence: "1" }], database: 0 },
      { final: [id], completed: [{ ...job, task: 1 }], database: 0 },
      { final: [id], completed: [{ ...job, id: [id] }], database: 0 },
      { final: true, completed: [job], database: 0 },
      { completed: [job], database: 0 },
      // Of another database, which has the same channels.
      { final: [id], completed: [job], database: 1 },
      { final: [id], completed: [job] },
      // What cannot be read counts for nothing.
      { final: [id], completed: [{ ...job, bytes: Buffer.from('{"twice":') }], database: 0 },
    ]) {
      await publish(hint);
    }
    await sleep(100);
    await waiting.queue.resume();
    expect(await wait).toEqual({ twice: 8 });
    expect(consumer.health().connected).toBe(true);
  });

  test("is no result of a job whose id a user has given", async () => {
    const { waiting, publish } = await setUp();
    await waiting.queue.pause();
    const id = "invoice-1";
    const result = await waiting.queue.enqueue(double.job({ n: 4 }), { id });
    const wait = result.wait({ timeout: "20s" });
    await publish({ final: [id], completed: [{ id, task: "double", fence: 1, bytes }], database: 0 });
    await sleep(50);
    await waiting.queue.resume();
    expect(await wait).toEqual({ twice: 8 });
  });

  test("is no result where results are signed", async () => {
    const { waiting, publish } = await setUp(sealing());
    await waiting.queue.pause();
    const result = await waiting.queue.enqueue(double.job({ n: 4 }));
    const { id } = result;
    const wait = result.wait({ timeout: "20s" });
    await publish({ final: [id], completed: [{ id, task: "double", fence: 1, bytes }], database: 0 });
    await sleep(50);
    await waiting.queue.resume();
    expect(await wait).toEqual({ twice: 8 });
  });
});
