import { Cluster, Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { script } from "../src/connection/script.js";
import { slotOf } from "../src/connection/slot.js";
import { settingsOf } from "../src/options.js";
import { Wake } from "../src/wake/wake.js";
import { ask } from "./servers/ask.js";
import { serverBinary, valkeyBinary, type ServerBinary } from "./servers/binary.js";
import type { RedisServer } from "./servers/redis-server.js";
import { hasShardedHints, startCluster, type TestCluster } from "./servers/cluster.js";
import { startSentinelGroup } from "./servers/sentinel.js";
import { callerOf, refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const put = script("put", "redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) return 1");
const KEY = "taskq:{main}:test";

async function clusterOfTest(options: NonNullable<Parameters<typeof startCluster>[0]>): Promise<TestCluster> {
  const cluster = await startCluster(options);
  afterTest(() => cluster.stop());
  return cluster;
}

function clientOf({ startupNodes }: TestCluster): Cluster {
  const client = new Cluster(startupNodes);
  client.on("error", () => {});
  afterTest(() => client.disconnect());
  return client;
}

/** 0 while the Sentinels do not agree. */
async function portOf(master: Promise<RedisServer>): Promise<number> {
  return master.then(
    ({ port }) => port,
    () => 0,
  );
}

/** What all of it runs on: the server of the other tests, and Valkey where that is there as well. */
const found = [serverBinary(), valkeyBinary()].filter((binary) => binary !== undefined);
const kinds: readonly { readonly kind: string; readonly on: { readonly binary?: ServerBinary } }[] =
  found.length === 0
    ? [{ kind: "none", on: {} }]
    : [...new Map(found.map((binary) => [binary.kind, { kind: binary.kind, on: { binary } }])).values()];

describe.skipIf(found.length === 0).each(kinds)("topologies, on $kind", ({ on }) => {
  test("a client of the user is only a pattern: nothing is sent on it and it stays open", async () => {
    const server = await serverOfTest(on);
    const client = new Redis(server.port, { db: 3, enableOfflineQueue: false, lazyConnect: true });
    afterTest(() => client.disconnect());
    const caller = callerOf({ client });
    await caller.run(put, ["key"], ["a", 1]);
    expect(client.status).toBe("wait");
    await client.connect();
    expect(await client.hgetall("key")).toEqual({ a: "1" });
    caller.close();
    expect(await client.ping()).toBe("PONG");
  });

  test(
    "Sentinels name the master, and calls go on at the new one after each fail-over",
    { timeout: 90_000 },
    async () => {
      const group = await startSentinelGroup([], on.binary);
      afterTest(() => group.stop());
      const caller = callerOf({ connection: { sentinels: [...group.sentinels], name: group.name } });
      for (let round = 0; round < 3; round += 1) {
        expect(await caller.run(put, ["key"], [round, 1])).toBe(1);
        const moving = group.failOver();
        const calls = Array.from({ length: 20 }, (_, n) => caller.run(put, ["key"], [`${round}:${n}`, 1]));
        await Promise.allSettled(calls);
        await moving;
        await group.settled();
        expect(await caller.run(put, ["key"], [`${round}:after`, 1])).toBe(1);
        const master = await group.master();
        expect(await ask(master.port, [["HGET", "key", `${round}:after`]])).toBe("1");
      }
    },
  );

  test(
    "a master that is killed is left for the one that the Sentinels choose",
    { timeout: 60_000 },
    async () => {
      const group = await startSentinelGroup([], on.binary);
      afterTest(() => group.stop());
      // one Sentinel in three does not answer
      group.watchers[0]?.pause();
      const caller = callerOf({
        connection: { sentinels: [...group.sentinels], name: group.name },
        timeout: "20s",
      });
      await caller.run(put, ["key"], ["a", 1]);
      group.watchers[0]?.resume();
      const master = await group.master();
      await master.kill();
      expect(await caller.run(put, ["key"], ["b", 1])).toBe(1);
      const other = group.servers.find(({ port }) => port !== master.port);
      await expect.poll(() => portOf(group.master()), { timeout: 10_000 }).toBe(other?.port);
    },
  );

  test(
    "on a Cluster a call finds the node of its key, and its new one after the slot has moved",
    { timeout: 60_000 },
    async () => {
      const cluster = await clusterOfTest(on);
      const caller = callerOf({ client: clientOf(cluster) });
      const slot = slotOf(KEY);
      const source = await cluster.owner(slot);
      const target = cluster.masters.find(({ port }) => port !== source.port);
      let n = 0;
      const timer = setInterval(() => {
        for (let each = 0; each < 5; each += 1) calls.push(caller.run(put, [KEY], [(n += 1), 1]));
      }, 10);
      const calls: Promise<unknown>[] = [];
      await new Promise((done) => setTimeout(done, 200));
      await cluster.moveSlot(slot, target ?? source, 300);
      await new Promise((done) => setTimeout(done, 200));
      clearInterval(timer);
      expect(await Promise.all(calls)).toEqual(calls.map(() => 1));
      expect(await ask((await cluster.owner(slot)).port, [["HLEN", KEY]])).toBe(String(n));
      expect((await cluster.owner(slot)).port).toBe(target?.port);
    },
  );

  test("on a Cluster a process has one connection to each master that it needs, and one for its hints", async (context) => {
    const cluster = await clusterOfTest(on);
    context.skip(!(await hasShardedHints(cluster)), "no hints by hash slot before Redis 7");
    const client = new Cluster(cluster.startupNodes, { lazyConnect: true });
    afterTest(() => client.disconnect());
    const caller = callerOf({ client });
    const connections = async (): Promise<number> => {
      const lists = await Promise.all(cluster.masters.map(({ port }) => ask(port, [["CLIENT", "LIST"]])));
      // without the one that asks, and what nodes have to one another
      return lists
        .join("\n")
        .split("\n")
        .filter((each) => / cmd=/.test(each) && !/ cmd=client/.test(each)).length;
    };
    await caller.run(put, [KEY], ["a", 1]);
    // the other one was asked for the state of the Cluster
    expect(await connections()).toBeLessThanOrEqual(2);
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => caller.run(put, [`taskq:{q${n}}:test`], ["a", 1])),
    );
    await expect.poll(connections).toBe(3);
    const wake = new Wake({ caller, source: settingsOf({ client }).source, mode: "sharded" });
    afterTest(() => wake.close());
    await new Promise((done) => wake.listen(KEY, done));
    await expect.poll(connections).toBe(4);
    expect(client.status).toBe("wait");
  });

  test(
    "a script without its text on a node of a Cluster is sent there whole",
    { timeout: 60_000 },
    async () => {
      const cluster = await clusterOfTest(on);
      const caller = callerOf({ client: clientOf(cluster) });
      // keys of all three nodes at once
      const keys = Array.from({ length: 60 }, (_, n) => `taskq:{q${n}}:test`);
      expect(await Promise.all(keys.map((key) => caller.run(put, [key], ["a", 1])))).toEqual(
        keys.map(() => 1),
      );
      for (const { port } of cluster.masters) await ask(port, [["SCRIPT", "FLUSH"]]);
      expect(await Promise.all(keys.map((key) => caller.run(put, [key], ["a", 1])))).toEqual(
        keys.map(() => 1),
      );
    },
  );

  test("a node of a Cluster that is killed is left for its replica", { timeout: 60_000 }, async () => {
    const cluster = await clusterOfTest({ ...on, replicas: true });
    const caller = callerOf({ client: clientOf(cluster), timeout: "20s" });
    await caller.run(put, [KEY], ["a", 1]);
    const owner = await cluster.owner(slotOf(KEY));
    await owner.kill();
    expect(await caller.run(put, [KEY], ["b", 1])).toBe(1);
  });

  test(
    "a node of a Cluster that freezes leaves no call without an answer, and its replica takes over",
    { timeout: 60_000 },
    async () => {
      const cluster = await clusterOfTest({ ...on, replicas: true });
      const caller = callerOf({ client: clientOf(cluster), timeout: "1s" });
      await caller.run(put, [KEY], ["a", 1]);
      const owner = await cluster.owner(slotOf(KEY));
      owner.pause();
      const begun = performance.now();
      const first = await refusalOf(caller.run(put, [KEY], ["b", 1]));
      expect(first.code).toBe("TASKQ_UNAVAILABLE");
      expect(performance.now() - begun).toBeLessThan(2_500);
      await expect.poll(() => caller.run(put, [KEY], ["b", 1]).catch(String), { timeout: 20_000 }).toBe(1);
      owner.resume();
    },
  );

  test("a Cluster that is none, and a node of one that is taken for a server, are told with what to write", async () => {
    const server = await serverOfTest(on);
    const noCluster = clientOf({
      startupNodes: [{ host: "127.0.0.1", port: server.port }],
    } as unknown as TestCluster);
    const wrong = await refusalOf(callerOf({ client: noCluster }).run(put, [KEY], ["a", 1]));
    expect(wrong.code).toBe("TASKQ_STORAGE");
    expect(wrong.message).toContain("expected a Cluster, got a server of its own");
    const cluster = await clusterOfTest(on);
    const slot = slotOf(KEY);
    const owner = await cluster.owner(slot);
    const other = cluster.masters.find(({ port }) => port !== owner.port);
    const moved = await refusalOf(callerOf({ url: other?.url ?? "" }).run(put, [KEY], ["a", 1]));
    expect(moved.code).toBe("TASKQ_STORAGE");
    expect(moved.message).toContain("new Cluster([{ host, port }])");
  });

  test("an enqueue can wait for replicas, and says when there are too few", { timeout: 60_000 }, async () => {
    const group = await startSentinelGroup([], on.binary);
    afterTest(() => group.stop());
    const caller = callerOf({
      connection: { sentinels: [...group.sentinels], name: group.name },
      timeout: "1s",
    });
    expect(await caller.run(put, ["key"], ["a", 1], { copies: 1 })).toBe(1);
    const few = await refusalOf(caller.run(put, ["key"], ["b", 1], { copies: 2 }));
    expect(few.code).toBe("TASKQ_UNAVAILABLE");
    expect(few.message).toMatch(
      /script put: expected 2 replicas to confirm within \d+ ms, got 1; it is stored/,
    );
    // calls beside it do not wait with it
    const settled: string[] = [];
    const slow = refusalOf(caller.run(put, ["key"], ["c", 1], { copies: 2 })).then(() =>
      settled.push("slow"),
    );
    await caller.run(put, ["key"], ["d", 1]).then(() => settled.push("quick"));
    await slow;
    expect(settled).toEqual(["quick", "slow"]);
  });

  test("on a Cluster, an enqueue waits for the replicas of its node", { timeout: 60_000 }, async () => {
    const cluster = await clusterOfTest({ ...on, replicas: true });
    const caller = callerOf({ client: clientOf(cluster), timeout: "1s" });
    expect(await caller.run(put, [KEY], ["a", 1], { copies: 1 })).toBe(1);
    expect((await refusalOf(caller.run(put, [KEY], ["b", 1], { copies: 2 }))).code).toBe("TASKQ_UNAVAILABLE");
  });
});
