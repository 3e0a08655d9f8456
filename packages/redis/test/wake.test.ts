import { Cluster } from "ioredis";
import { describe, expect, test } from "vitest";
import type { Caller } from "../src/connection/caller.js";
import { slotOf } from "../src/connection/slot.js";
import { settingsOf, type RedisOptions } from "../src/options.js";
import { Wake, type WakeMode } from "../src/wake/wake.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { hasShardedHints, startCluster } from "./servers/cluster.js";
import { startProxy } from "./servers/proxy.js";
import { callerOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const CHANNEL = "taskq:{main}:wake";
/** Milliseconds. */
const QUICK = 200;

interface Ear {
  readonly heard: string[];
  readonly wake: Wake;
  readonly caller: Caller;
  /** How often messages may have been missed. */
  readonly missed: () => number;
}

function earOf(options: RedisOptions, mode: WakeMode = "plain", beat?: number): Ear {
  const caller = callerOf(options);
  const wake = new Wake({ caller, source: settingsOf(options).source, mode, beat });
  afterTest(() => wake.close());
  const heard: string[] = [];
  let missed = 0;
  wake.listen(CHANNEL, (message) => {
    if (message === undefined) missed += 1;
    else heard.push(String(message));
  });
  return { heard, wake, caller, missed: () => missed };
}

/** Until one that was sent now is heard, whatever was lost before. */
async function hearsAgain({ heard }: Ear, port: number, command = "PUBLISH"): Promise<void> {
  const message = `again ${Math.random()}`;
  await expect
    .poll(
      async () => {
        await ask(port, [[command, CHANNEL, message]]).catch(() => {});
        return heard.includes(message);
      },
      { timeout: 15_000, interval: 50 },
    )
    .toBe(true);
}

describe.skipIf(serverBinary() === undefined)("wake", () => {
  test("what others publish is heard, from the moment that the listener was told that it listens", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url });
    await expect.poll(ear.missed).toBe(1);
    await ask(server.port, [["PUBLISH", CHANNEL, "one"]]);
    await ask(server.port, [["PUBLISH", "taskq:{other}:wake", "not for us"]]);
    await ask(server.port, [["PUBLISH", CHANNEL, "two"]]);
    await expect.poll(() => ear.heard).toEqual(["one", "two"]);
  });

  test("all channels share one connection, which is closed with the last listener", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url });
    const heard: string[] = [];
    const stop = ear.wake.listen("taskq:{other}:wake", (message) => heard.push(String(message)));
    await expect.poll(() => heard).toEqual(["undefined"]);
    await ask(server.port, [["PUBLISH", "taskq:{other}:wake", "one"]]);
    await expect.poll(() => heard).toEqual(["undefined", "one"]);
    expect(await subscribers(server.port)).toBe(1);
    stop();
    await ask(server.port, [["PUBLISH", "taskq:{other}:wake", "two"]]);
    await hearsAgain(ear, server.port);
    expect(heard).toEqual(["undefined", "one"]);
    ear.wake.close();
    await expect.poll(() => subscribers(server.port)).toBe(0);
  });

  test("a second listener of a channel is told that it listens, too", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url });
    await expect.poll(ear.missed).toBe(1);
    const told = new Promise((done) => ear.wake.listen(CHANNEL, done));
    expect(await told).toBe(undefined);
  });

  test("a connection that is killed is made again, and the listener told that it may have missed something", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url });
    for (let round = 1; round <= 5; round += 1) {
      await expect.poll(ear.missed).toBe(round);
      await ask(server.port, [["CLIENT", "KILL", "TYPE", "pubsub"]]);
    }
    await hearsAgain(ear, server.port);
  });

  test("a half-open connection is found out by the beat and made again", async () => {
    const server = await serverOfTest();
    const proxy = await startProxy(server.port);
    afterTest(() => proxy.close());
    const ear = earOf({ url: proxy.url, timeout: "1s" }, "plain", QUICK);
    await expect.poll(ear.missed).toBe(1);
    proxy.freeze();
    await expect.poll(ear.missed, { timeout: 10_000 }).toBe(2);
    await hearsAgain(ear, server.port);
  });

  test("a server that freezes, or starts anew, is listened to again", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url, timeout: "1s" }, "plain", QUICK);
    await expect.poll(ear.missed).toBe(1);
    server.pause();
    await new Promise((done) => setTimeout(done, 1_500));
    server.resume();
    await hearsAgain(ear, server.port);
    await server.restart();
    await hearsAgain(ear, server.port);
  });

  test("a user who may not subscribe is left in peace, and calls go on", async () => {
    const server = await serverOfTest({
      arguments: ["--user", "deaf", "on", "nopass", "~*", "+@all", "resetchannels"],
    });
    const ear = earOf({ url: `redis://deaf@127.0.0.1:${server.port}` }, "plain", QUICK);
    await new Promise((done) => setTimeout(done, 1_000));
    expect(String(await ear.caller.command("ping", []))).toBe("PONG");
    const attempts = (await ask(server.port, [["INFO", "stats"]])).match(
      /total_connections_received:(\d+)/,
    )?.[1];
    expect(Number(attempts)).toBeLessThan(30);
    expect(ear.missed()).toBe(0);
  });

  test("a process that listens has two connections", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url });
    await ear.caller.command("ping", []);
    await expect.poll(ear.missed).toBe(1);
    expect((await ask(server.port, [["CLIENT", "LIST"]])).match(/name=taskq/g)).toHaveLength(2);
  });

  test(
    "on a Cluster hints travel by the slot of the queue, also after it has moved",
    { timeout: 60_000 },
    async (context) => {
      const cluster = await startCluster();
      afterTest(() => cluster.stop());
      context.skip(!(await hasShardedHints(cluster)), "no hints by hash slot before Redis 7");
      const client = new Cluster(cluster.startupNodes);
      afterTest(() => client.disconnect());
      const ear = earOf({ client }, "sharded", QUICK);
      const source = await cluster.owner(slotOf(CHANNEL));
      await expect.poll(ear.missed, { timeout: 10_000 }).toBe(1);
      await ask(source.port, [["SPUBLISH", CHANNEL, "one"]]);
      await expect.poll(() => ear.heard).toEqual(["one"]);
      const target = cluster.masters.find(({ port }) => port !== source.port) ?? source;
      await cluster.moveSlot(slotOf(CHANNEL), target);
      await hearsAgain(ear, target.port, "SPUBLISH");
      expect(ear.wake.command).toBe("SPUBLISH");
    },
  );

  test("on a Cluster a killed node's hints come from its replica", { timeout: 60_000 }, async (context) => {
    const cluster = await startCluster({ replicas: true });
    afterTest(() => cluster.stop());
    context.skip(!(await hasShardedHints(cluster)), "no hints by hash slot before Redis 7");
    const client = new Cluster(cluster.startupNodes);
    client.on("error", () => {});
    afterTest(() => client.disconnect());
    const ear = earOf({ client }, "sharded", QUICK);
    const slot = slotOf(CHANNEL);
    const owner = await cluster.owner(slot);
    await expect.poll(ear.missed, { timeout: 10_000 }).toBe(1);
    const replica = cluster.replicas[cluster.masters.indexOf(owner)] ?? owner;
    await owner.kill();
    await hearsAgain(ear, replica.port, "SPUBLISH");
  });

  test("where nothing can be heard, nothing is asked for", async () => {
    const server = await serverOfTest();
    const ear = earOf({ url: server.url }, "none");
    expect(ear.wake.command).toBe(undefined);
    expect(await subscribers(server.port)).toBe(0);
  });
});

async function subscribers(port: number): Promise<number> {
  const list = await ask(port, [["CLIENT", "LIST", "TYPE", "pubsub"]]);
  return list.trim() === "" ? 0 : list.trim().split("\n").length;
}
