/** Hints with results, as anybody may publish them. */
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonSerializer } from "@taskq/core";
import { Redis } from "ioredis";
import { beforeAll, describe, expect, test } from "vitest";
import { finalChannel, wakeChannel } from "../src/names.js";
import { pack } from "../src/wire/pack.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { afterTest } from "./support/closing.js";
import { consumerOf, double, processOf, warm, type Serializer } from "./support/processes.js";
import { newPrefix } from "./support/store.js";

let server: RedisServer;
beforeAll(async () => {
  if (serverBinary() === undefined) return;
  server = await startRedisServer();
  return () => server.stop();
});

const bytes = Buffer.from('{"twice":1}');

function seal(text: Uint8Array): Buffer {
  return createHmac("sha256", "secret").update(text).digest();
}

/** JSON behind a seal. */
function sealing(): Serializer {
  const json = jsonSerializer();
  return {
    id: "sealed",
    encode(value, context) {
      const text = json.encode(value, context);
      return Buffer.concat([seal(text), text]);
    },
    decode(sealed, context) {
      const text = sealed.subarray(32);
      if (!seal(text).equals(sealed.subarray(0, 32))) throw new Error("another seal");
      return json.decode(text, context);
    },
  };
}

async function setUp(serializer?: Serializer) {
  const prefix = newPrefix();
  const shared = serializer === undefined ? {} : { serializer };
  const waiting = processOf({ url: server.url, prefix, ...shared });
  const working = processOf({ url: server.url, prefix, ...shared });
  const consumer = await consumerOf(working.queue);
  await warm(waiting);
  const client = new Redis(server.url);
  afterTest(() => client.disconnect());
  const channel = finalChannel(wakeChannel(prefix, "default"));
  const publish = (hint: unknown): Promise<number> =>
    client.publish(channel, Buffer.isBuffer(hint) ? hint : pack(hint));
  return { prefix, waiting, working, consumer, publish };
}

describe.skipIf(serverBinary() === undefined)("a hint that anybody published", () => {
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
