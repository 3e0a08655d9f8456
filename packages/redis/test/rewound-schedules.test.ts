/** Schedules that a server has forgotten, since it comes back with an older copy. */
import { createConsumer } from "@taskq/consumer";
import { createQueue, every, periodic, type Queue } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import type { RedisServer } from "./servers/redis-server.js";
import { until } from "./servers/until.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { opened, QUEUE } from "./support/spread.js";

/** Goes back to what it last saved. */
async function goBack(server: RedisServer): Promise<void> {
  await server.kill();
  await server.restart();
}

async function declare(storage: StorageContract, name: string): Promise<void> {
  const change = { kind: "declare", name, origin: "task", task: name, bytes: new Uint8Array(1) } as const;
  await storage.schedules({ queue: QUEUE, change });
}

async function namesIn(storage: StorageContract): Promise<readonly string[]> {
  return (await storage.schedules({ queue: QUEUE })).schedules.map(({ name }) => name);
}

async function listed(queue: Queue): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of queue.schedules.list()) names.push(name);
  return names;
}

/** The server keeps the queue, and what is declared from now on only until it goes back. */
async function beating(partitions: number) {
  const server = await serverOfTest();
  const beats: number[] = [];
  const errors: string[] = [];
  const beat = periodic("beat", every("200ms"), () => void beats.push(Date.now()));
  const error = (details: unknown, text?: string): void =>
    void errors.push(`${JSON.stringify(details)} ${text}`);
  const logger = { debug() {}, info() {}, warn() {}, error };
  const queue = createQueue({
    storage: redisStorage({ url: server.url, partitions }),
    tasks: { beat },
    logger,
  });
  afterTest(() => queue.close());
  await queue.counts();
  await ask(server.port, [["SAVE"]]);
  const consumer = createConsumer(queue);
  await consumer.start();
  afterTest(() => consumer.stop());
  await until("it beats", async () => beats.length > 1);
  return { server, beats, errors, queue };
}

describe.skipIf(serverBinary() === undefined)("a server that has forgotten schedules", () => {
  test.each([1, 3])("a consumer declares its periodic tasks again (partitions: %s)", async (partitions) => {
    const { server, beats, queue } = await beating(partitions);
    await goBack(server);
    const before = beats.length;
    await until("it beats again", async () => beats.length > before + 2, 10_000);
    expect(await listed(queue)).toEqual(["beat"]);
  });

  test("what cannot be declared again is told, and tried again, and keeps nobody from reading", async () => {
    const { server, beats, errors, queue } = await beating(1);
    await server.kill();
    await server.restart(["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]);
    await until("it is told", async () => errors.some((text) => text.includes("raise maxmemory")));
    expect(await listed(queue)).toEqual(["beat"]);
    await ask(server.port, [["CONFIG", "SET", "maxmemory", "0"]]);
    const before = beats.length;
    await until("it beats again", async () => beats.length > before + 2, 10_000);
  });

  test("one that another process has removed is not declared again, also after a flush", async () => {
    const server = await serverOfTest();
    const [first, second] = [await opened({ url: server.url }), await opened({ url: server.url })];
    for (const name of ["kept", "removed"]) await declare(first, name);
    await second.schedules({ queue: QUEUE, change: { kind: "remove", name: "removed" } });
    expect(await namesIn(first)).toEqual(["kept"]);
    await second.purge({ queue: QUEUE, everything: true, limit: 100 });
    expect(await namesIn(first)).toEqual(["kept"]);
    await ask(server.port, [["SAVE"]]);
    await declare(second, "removed");
    expect(await namesIn(first)).toEqual(["kept", "removed"]);
    await goBack(server);
    expect(await namesIn(first)).toEqual(["kept"]);
  });

  test("each process declares again what it has declared itself", async () => {
    const server = await serverOfTest();
    const [first, second] = [await opened({ url: server.url }), await opened({ url: server.url })];
    await ask(server.port, [["SAVE"]]);
    await declare(first, "a");
    await declare(second, "b");
    await goBack(server);
    expect(await namesIn(second)).toEqual(["b"]);
    expect(await namesIn(first)).toEqual(["a", "b"]);
  });
});
