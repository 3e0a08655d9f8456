/** Programs that end by themselves once they have nothing left to do, as they do with the other storages. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startCluster } from "./servers/cluster.js";
import { serverBinary } from "./servers/binary.js";
import { startProxy } from "./servers/proxy.js";
import { startSentinelGroup } from "./servers/sentinel.js";
import { afterTest } from "./support/closing.js";
import { ownServer } from "./support/own-server.js";
import { ENQUEUES, start } from "./support/programs.js";
import { newPrefix } from "./support/store.js";

const WORKS = `console.log("works"); await createConsumer(queue).run(); console.log("stopped");`;

describe.skipIf(serverBinary() === undefined)("a program on Redis", { timeout: 60_000 }, () => {
  const own = ownServer();

  const storageOf = (keyPrefix: string, url = own.server.url): string => JSON.stringify({ url, keyPrefix });

  const storedIn = (keyPrefix: string): Promise<number> => own.redis.hlen(`${keyPrefix}:{default}:rows`);

  test("that only enqueues ends by itself, and the job is stored", async () => {
    const keyPrefix = newPrefix();
    const program = start(storageOf(keyPrefix), ENQUEUES);
    expect(await program.end()).toEqual({ code: 0, output: "" });
    expect(await storedIn(keyPrefix)).toBe(1);
  });

  test("that enqueues in several partitions ends by itself", async () => {
    const keyPrefix = newPrefix();
    const storage = JSON.stringify({ url: own.server.url, keyPrefix, partitions: 3 });
    expect(await start(storage, ENQUEUES).end()).toEqual({ code: 0, output: "" });
  });

  test("that waits for a result goes on until it has it; a worker goes on until it is told to stop; then both end", async () => {
    const keyPrefix = newPrefix();
    const producer = start(
      storageOf(keyPrefix),
      `console.log("waits"); console.log(await (await queue.enqueue(double.job(21))).wait());`,
    );
    await producer.says("waits");
    // longer than anything that a storage does beside it takes
    await sleep(4_000);
    expect(producer.isRunning()).toBe(true);
    const worker = start(storageOf(keyPrefix), WORKS);
    expect(await producer.end()).toEqual({ code: 0, output: "waits\n42\n" });
    await sleep(3_000);
    expect(worker.isRunning()).toBe(true);
    worker.signal("SIGTERM");
    expect(await worker.end()).toEqual({ code: 0, output: "works\nstopped\n" });
  });

  test("that has lost its server goes on as long as it has something to do, and ends after it", async () => {
    const proxy = await startProxy(own.server.port);
    const listens = `storage.watch("default", () => {}); console.log("listens");`;
    const program = start(
      storageOf(newPrefix(), proxy.url),
      `${ENQUEUES} ${listens} setTimeout(() => console.log("done"), 2_000);`,
    );
    await program.says("listens");
    await proxy.close();
    expect(await program.end()).toEqual({ code: 0, output: "listens\ndone\n" });
  });

  test("is told by a server that does not answer, and does not end before", async () => {
    const proxy = await startProxy(own.server.port);
    afterTest(() => proxy.close());
    proxy.freezeAll();
    const told = `await queue.enqueue(double.job(1)).catch(({ code }) => console.log(code));`;
    const program = start(storageOf(newPrefix(), proxy.url), told);
    expect(await program.end()).toEqual({ code: 0, output: "TASKQ_UNAVAILABLE\n" });
  });

  test("is told by a server that answers no more, and does not end before", async () => {
    const proxy = await startProxy(own.server.port);
    afterTest(() => proxy.close());
    const program = start(
      storageOf(newPrefix(), proxy.url),
      `${ENQUEUES} console.log("stored");
      await new Promise((resolve) => setTimeout(resolve, 500));
      await queue.enqueue(double.job(1)).catch(({ code }) => console.log(code));`,
    );
    await program.says("stored");
    proxy.freezeAll();
    expect(await program.end()).toEqual({ code: 0, output: "stored\nTASKQ_UNAVAILABLE\n" });
  });

  test("is told by a server that is not there, and does not end before", async () => {
    const proxy = await startProxy(own.server.port);
    await proxy.close();
    const told = `await queue.enqueue(double.job(1)).catch(({ code }) => console.log(code));`;
    const program = start(storageOf(newPrefix(), proxy.url), told);
    expect(await program.end()).toEqual({ code: 0, output: "TASKQ_UNAVAILABLE\n" });
  });

  test("ends by itself on a Cluster and with Sentinels", async () => {
    const cluster = await startCluster();
    afterTest(() => cluster.stop());
    const nodes = JSON.stringify(cluster.startupNodes);
    const pattern = `new Cluster(${nodes}, { lazyConnect: true, slotsRefreshInterval: 1_000 })`;
    expect(await start(`{ client: ${pattern} }`, ENQUEUES).end()).toEqual({ code: 0, output: "" });
    const group = await startSentinelGroup();
    afterTest(() => group.stop());
    const connection = JSON.stringify({ sentinels: group.sentinels, name: group.name });
    expect(await start(`{ connection: ${connection} }`, ENQUEUES).end()).toEqual({ code: 0, output: "" });
  });

  test("that has a client of its own goes on until it closes that", async () => {
    const keyPrefix = newPrefix();
    const client = `new (await import("ioredis")).Redis(${JSON.stringify(own.server.url)})`;
    const program = start(
      `{ client: globalThis.own = ${client}, keyPrefix: "${keyPrefix}" }`,
      `${ENQUEUES} console.log("stored"); process.once("SIGTERM", () => own.disconnect());`,
    );
    await program.says("stored");
    await sleep(1_000);
    expect(program.isRunning()).toBe(true);
    program.signal("SIGTERM");
    expect(await program.end()).toEqual({ code: 0, output: "stored\n" });
  });
});
