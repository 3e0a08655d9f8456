import { setTimeout as sleep } from "node:timers/promises";
import { plainJob } from "@taskq/conformance";
import { createIdMaker, type NewFlow, type StorageContract } from "@taskq/core/storage";
import { describe, expect, test } from "vitest";
import type { Caller } from "../src/connection/caller.js";
import { script } from "../src/connection/script.js";
import { redisStorage } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { freePort } from "./servers/ports.js";
import { startProxy, type Proxy } from "./servers/proxy.js";
import { callerOf, refusalOf, serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";

const TIMEOUT = 1_000;
/** How much later than its timeout a call may settle on a busy machine. */
const SLACK = 1_500;

const put = script("put", "redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) return 1");

const makeId = createIdMaker();

function newFlow(): NewFlow {
  const job = plainJob(makeId(Date.now()));
  return { end: job.id, jobs: [job], joins: [] };
}

async function proxyOfTest(port: number): Promise<Proxy> {
  const proxy = await startProxy(port);
  afterTest(() => proxy.close());
  return proxy;
}

/** Rejects with `TASKQ_UNAVAILABLE` within its time; answers the message. */
async function unavailable(caller: Caller, timeout = TIMEOUT): Promise<string> {
  const begun = performance.now();
  const error = await refusalOf(caller.run(put, ["key"], ["a", 1]));
  expect(performance.now() - begun).toBeLessThan(timeout + SLACK);
  expect(error.code).toBe("TASKQ_UNAVAILABLE");
  return error.message;
}

async function recovers(caller: Caller): Promise<void> {
  const until = performance.now() + 5_000;
  for (;;) {
    try {
      expect(await caller.run(put, ["key"], ["a", 1])).toBe(1);
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}

describe.skipIf(serverBinary() === undefined)("faults", () => {
  test("a server that is not there is told within the time, with the reason", async () => {
    const caller = callerOf({ url: `redis://127.0.0.1:${await freePort()}`, timeout: TIMEOUT });
    expect(await unavailable(caller)).toMatch(/script put: no answer within 1000 ms: .*ECONNREFUSED/);
  });

  test("a host whose name is not known is told within the time, with the reason", async () => {
    const caller = callerOf({ url: "redis://no-such-host.invalid", timeout: TIMEOUT });
    expect(await unavailable(caller)).toMatch(/ENOTFOUND|EAI_AGAIN|no answer/);
  });

  test("a call waits for a server that comes back within its time", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const caller = callerOf({ url: server.url });
    await caller.run(put, ["key"], ["a", 1]);
    await server.kill();
    const waiting = caller.run(put, ["key"], ["b", 1]);
    await server.restart();
    expect(await waiting).toBe(1);
    expect(caller.generation).toBe(2);
  });

  test("a frozen server leaves no call without an answer, and is used again once it goes on", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url, timeout: TIMEOUT });
    await caller.run(put, ["key"], ["a", 1]);
    server.pause();
    const messages = await Promise.all(Array.from({ length: 20 }, () => unavailable(caller)));
    expect(messages[0]).toContain("does not answer");
    server.resume();
    await recovers(caller);
  });

  test("an enqueue that takes two scripts settles within the time of one", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const storage = redisStorage({ url: server.url, timeout: "2s" }) as unknown as StorageContract;
    afterTest(() => storage.close());
    const kept = { for: 1e9, max: 1e6 };
    await storage.open({ queue: "main", retention: { completed: kept, failed: kept } });
    const [stored, other, late] = [newFlow(), newFlow(), newFlow()];
    await storage.enqueue({ queue: "main", flows: [stored] });
    const settled: string[] = [];
    const enqueue = async (name: string, flows: readonly NewFlow[]): Promise<void> => {
      const { code } = await refusalOf(storage.enqueue({ queue: "main", flows }));
      settled.push(`${name} ${code}`);
    };
    // the first script finds what is there and writes nothing; the second one would write
    await ask(server.port, [["CONFIG", "SET", "min-replicas-to-write", "1"]]);
    server.pause();
    const first = enqueue("first", [stored, other]);
    await sleep(600);
    const second = enqueue("second", [late]);
    await sleep(600);
    server.resume();
    await Promise.all([first, second]);
    expect(settled).toEqual(["first TASKQ_UNAVAILABLE", "second TASKQ_UNAVAILABLE"]);
  });

  test("a call on a half-open connection is answered on another one, within its time", async () => {
    const server = await serverOfTest();
    const proxy = await proxyOfTest(server.port);
    const caller = callerOf({ url: proxy.url, timeout: 2_000 });
    await caller.run(put, ["key"], ["a", 1]);
    proxy.freeze();
    expect(await caller.run(put, ["key"], ["b", 1])).toBe(1);
    // one to find out, one to go over to
    expect(proxy.connections).toBe(3);
  });

  test("a network that swallows everything is told within the time, and recovers", async () => {
    const server = await serverOfTest();
    const proxy = await proxyOfTest(server.port);
    const caller = callerOf({ url: proxy.url, timeout: TIMEOUT });
    await caller.run(put, ["key"], ["a", 1]);
    proxy.freezeAll();
    expect(await unavailable(caller)).toContain("does not answer");
    await unavailable(caller);
    proxy.thaw();
    await recovers(caller);
  });

  test("a slow answer is not taken for a silent connection", async () => {
    const server = await serverOfTest({ arguments: ["--lua-time-limit", "60000"] });
    const caller = callerOf({ url: server.url, timeout: 4_000 });
    const turns = script("turns", "local n = 0 for each = 1, tonumber(ARGV[1]) do n = n + each end return 1");
    const some = 2_000_000;
    await caller.run(turns, ["key"], [some]);
    const begun = performance.now();
    await caller.run(turns, ["key"], [some]);
    const slow = Math.round((some * 300) / (performance.now() - begun));
    // each of them is quick enough; but servers write the answers to all of them at once. Where others take the CPU meanwhile, twice
    // as long is still in time
    await Promise.all(Array.from({ length: 6 }, () => caller.run(turns, ["key"], [slow])));
    expect(caller.generation).toBe(1);
  });

  test("connections that are killed all the time lose no call", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url });
    const admin = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    const killing = setInterval(() => void ask(server.port, [admin]).catch(() => {}), 20);
    afterTest(() => clearInterval(killing));
    for (let round = 0; round < 30; round += 1) {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => caller.run(put, ["key"], [`${round}:${n}`, "x".repeat(1_000)])),
      );
    }
    clearInterval(killing);
    // the last kill may still be on its way
    await expect.poll(() => ask(server.port, [["HLEN", "key"]]).catch(String)).toBe("3000");
    expect(caller.generation).toBeGreaterThan(2);
  });

  test("connections that are cut in the midst of an answer lose no call", async () => {
    const server = await serverOfTest();
    const proxy = await proxyOfTest(server.port);
    const caller = callerOf({ url: proxy.url });
    const timer = setInterval(() => proxy.cut(), 25);
    afterTest(() => clearInterval(timer));
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => caller.run(put, ["key"], [`${round}:${n}`, "x".repeat(10_000)])),
      );
    }
    clearInterval(timer);
    expect(await ask(server.port, [["HLEN", "key"]])).toBe("1000");
  });

  test("a server that was killed and started again is used again, without its scripts", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const caller = callerOf({ url: server.url });
    for (let round = 0; round < 3; round += 1) {
      const calls = Array.from({ length: 50 }, (_, n) => caller.run(put, ["key"], [`${round}:${n}`, 1]));
      await server.restart();
      expect(await Promise.all(calls)).toEqual(calls.map(() => 1));
    }
  });

  test("a server that has become a replica is told, and used again once it is a master", async () => {
    const server = await serverOfTest({ arguments: ["--replica-serve-stale-data", "yes"] });
    const caller = callerOf({ url: server.url, timeout: TIMEOUT });
    await caller.run(put, ["key"], ["a", 1]);
    await ask(server.port, [["REPLICAOF", "127.0.0.1", String(await freePort())]]);
    expect(await unavailable(caller)).toContain("READONLY");
    await ask(server.port, [["REPLICAOF", "NO", "ONE"]]);
    await recovers(caller);
  });

  test(
    "a server that loads its data is waited for, and told when it takes longer than the call may",
    {
      timeout: 40_000,
    },
    async () => {
      const server = await serverOfTest({
        arguments: ["--appendonly", "yes", "--aof-use-rdb-preamble", "no"],
      });
      const fill = "for n = 1, 20000 do redis.call('SET', 'k' .. n, n) end";
      await ask(server.port, [["EVAL", fill, "0"]]);
      const quick = callerOf({ url: server.url, timeout: TIMEOUT });
      const patient = callerOf({ url: server.url, timeout: 20_000 });
      await quick.command("ping", []);
      // in microseconds a key
      await server.restart(["--key-load-delay", "150"]);
      expect(await unavailable(quick)).toContain("LOADING");
      expect(await patient.run(put, ["key"], ["a", 1])).toBe(1);
    },
  );

  test("a server without room refuses at once with TASKQ_STORAGE and says what to do, and takes more once there is room", async () => {
    const server = await serverOfTest({ arguments: ["--maxmemory-policy", "noeviction"] });
    const caller = callerOf({ url: server.url });
    await ask(server.port, [["CONFIG", "SET", "maxmemory", "1"]]);
    const error = await refusalOf(caller.run(put, ["key"], ["a", 1]));
    expect(error).toMatchObject({
      code: "TASKQ_STORAGE",
      message: expect.stringContaining("raise maxmemory"),
    });
    await ask(server.port, [["CONFIG", "SET", "maxmemory", "0"]]);
    await recovers(caller);
  });

  test("a server that is kept busy by another's script is waited for", async () => {
    const server = await serverOfTest({ arguments: ["--lua-time-limit", "50"] });
    const caller = callerOf({ url: server.url, timeout: TIMEOUT });
    await caller.run(put, ["key"], ["a", 1]);
    const endless = ask(server.port, [["EVAL", "while true do end", "0"]], undefined, 10_000).catch(String);
    await expect.poll(() => ask(server.port, [["PING"]]).catch(String)).toContain("BUSY");
    expect(await unavailable(caller)).toContain("BUSY");
    await ask(server.port, [["SCRIPT", "KILL"]]);
    await endless;
    await recovers(caller);
  });

  test("a master that lacks its replicas is waited for", async () => {
    const server = await serverOfTest({ arguments: ["--min-replicas-to-write", "1"] });
    const caller = callerOf({ url: server.url, timeout: TIMEOUT });
    expect(await unavailable(caller)).toContain("NOREPLICAS");
    await ask(server.port, [["CONFIG", "SET", "min-replicas-to-write", "0"]]);
    await recovers(caller);
  });

  test("a user who may not do it is told at once, with the page that has the line", async () => {
    const server = await serverOfTest({
      arguments: ["--user", "worker", "on", ">secret", "~taskq:*", "+ping"],
    });
    const caller = callerOf({ url: `redis://worker:secret@127.0.0.1:${server.port}` });
    const error = await refusalOf(caller.run(put, ["key"], ["a", 1]));
    expect(error).toMatchObject({
      code: "TASKQ_STORAGE",
      message: expect.stringContaining("guide/redis.md"),
    });
    expect(error.message).toContain("NOPERM");
  });

  test("a process that was busy for longer than the time takes the answer that came meanwhile", async () => {
    const server = await serverOfTest();
    const caller = callerOf({ url: server.url, timeout: 200 });
    await caller.run(put, ["key"], ["a", 1]);
    const call = caller.run(put, ["key"], ["b", 1]);
    await new Promise((done) => setImmediate(done));
    const until = performance.now() + 600;
    while (performance.now() < until);
    expect(await call).toBe(1);
  });
});
