import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "ioredis";
import { describe, expect, test } from "vitest";
import { slotOf } from "../src/connection/slot.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { startCluster } from "./servers/cluster.js";
import { startProxy } from "./servers/proxy.js";
import { startSentinelGroup } from "./servers/sentinel.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { underFire, type Aftermath } from "./support/under-fire.js";

/** A few seconds each in the ordinary run; `TASKQ_REDIS_FIRE=60` makes it the minute of the proof. */
const SECONDS = Number(process.env["TASKQ_REDIS_FIRE"] ?? 3);
const TIMEOUT = (SECONDS + 90) * 1_000;
const SOUND = ["--appendonly", "yes", "--appendfsync", "everysec"];

/** Repeats until the signal aborts. */
async function repeatedly(
  signal: AbortSignal,
  interval: number,
  work: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await work();
    await sleep(interval, undefined, { signal }).catch(() => {});
  }
}

/** Shows the figures of a proof. */
function report(aftermath: object): void {
  if (process.env["TASKQ_REDIS_FIRE"] !== undefined) console.log(aftermath);
}

/** What is wrong: a job lost or run twice, a lease lost, a call that did not settle in its time, a consumer that slept on. */
function problemsOf(aftermath: Aftermath): readonly string[] {
  report(aftermath);
  const { accepted, completed, left, duplicates, leasesLost, longestCall, resumedAfter } = aftermath;
  const wrong = {
    "hardly anything was done": accepted < 50,
    "jobs were lost, or made from nothing": completed !== accepted,
    "jobs are left": left > 0,
    "jobs ran twice": duplicates > 0,
    "leases were lost": leasesLost > 0,
    "a call took longer than it may": longestCall > 6_500,
    "it took long to go on": resumedAfter > 3_000 || resumedAfter < 0,
  };
  return Object.entries(wrong)
    .filter(([, isTrue]) => isTrue)
    .map(([problem]) => `${problem}: ${JSON.stringify(aftermath)}`);
}

describe.skipIf(serverBinary() === undefined)("outages", () => {
  test(
    "all connections killed every 100 ms lose no job and run none twice",
    { timeout: TIMEOUT },
    async () => {
      const server = await serverOfTest({ arguments: SOUND });
      const kill = [
        ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        ["CLIENT", "KILL", "TYPE", "pubsub"],
      ];
      const aftermath = await underFire({
        storage: { url: server.url },
        milliseconds: SECONDS * 1_000,
        break: (signal) => repeatedly(signal, 100, () => ask(server.port, kill)),
      });
      expect(problemsOf(aftermath)).toEqual([]);
    },
  );

  test(
    "a server killed and started again loses no job and runs none twice",
    { timeout: TIMEOUT },
    async () => {
      const server = await serverOfTest({ arguments: SOUND });
      const aftermath = await underFire({
        storage: { url: server.url },
        milliseconds: SECONDS * 1_000,
        break: (signal) => repeatedly(signal, 400, () => server.restart()),
      });
      expect(problemsOf(aftermath)).toEqual([]);
    },
  );

  test(
    "a server that freezes for longer than a call may take loses no job",
    { timeout: TIMEOUT },
    async () => {
      const server = await serverOfTest({ arguments: SOUND });
      const aftermath = await underFire({
        storage: { url: server.url, timeout: "1s" },
        milliseconds: SECONDS * 1_000,
        break: (signal) =>
          repeatedly(signal, 500, async () => {
            server.pause();
            await sleep(1_500);
            server.resume();
          }),
      });
      expect(problemsOf(aftermath)).toEqual([]);
      expect(aftermath.unavailable).toBeGreaterThan(0);
    },
  );

  test("connections that fall silent lose no job and run none twice", { timeout: TIMEOUT }, async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const proxy = await startProxy(server.port);
    afterTest(() => proxy.close());
    const aftermath = await underFire({
      storage: { url: proxy.url, timeout: "2s" },
      milliseconds: SECONDS * 1_000,
      break: (signal) => repeatedly(signal, 1_500, async () => proxy.freeze()),
    });
    expect(problemsOf(aftermath)).toEqual([]);
  });

  test(
    "scripts forgotten, and a server that is a replica, or kept busy, for a moment, lose no job and run none twice",
    { timeout: TIMEOUT },
    async () => {
      const server = await serverOfTest({ arguments: [...SOUND, "--lua-time-limit", "50"] });
      const troubles = [
        () => ask(server.port, [["SCRIPT", "FLUSH"]]),
        async () => {
          await ask(server.port, [["REPLICAOF", "127.0.0.1", "1"]]);
          await sleep(300);
          await ask(server.port, [["REPLICAOF", "NO", "ONE"]]);
        },
        async () => {
          const busy = ask(server.port, [["EVAL", "while true do end", "0"]], undefined, 10_000).catch(
            () => {},
          );
          await sleep(300);
          await ask(server.port, [["SCRIPT", "KILL"]]).catch(() => {});
          await busy;
        },
      ];
      let n = 0;
      const aftermath = await underFire({
        storage: { url: server.url },
        milliseconds: SECONDS * 1_000,
        break: (signal) => repeatedly(signal, 200, async () => troubles[(n += 1) % troubles.length]?.()),
      });
      expect(problemsOf(aftermath)).toEqual([]);
    },
  );

  test("a server that is full for a moment refuses, and loses no job", { timeout: TIMEOUT }, async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const limit = (bytes: string): Promise<string> =>
      ask(server.port, [["CONFIG", "SET", "maxmemory", bytes]]);
    const aftermath = await underFire({
      storage: { url: server.url },
      milliseconds: SECONDS * 1_000,
      refused: true,
      break: (signal) =>
        repeatedly(signal, 200, async () => {
          await limit("1");
          await sleep(200);
          await limit("0");
        }),
    });
    expect(problemsOf(aftermath)).toEqual([]);
    expect(aftermath.unavailable).toBeGreaterThan(0);
  });

  test("a slot that moves under load loses no job and runs none twice", { timeout: TIMEOUT }, async () => {
    const cluster = await startCluster({ arguments: SOUND });
    afterTest(() => cluster.stop());
    const client = new Cluster(cluster.startupNodes, { lazyConnect: true });
    afterTest(() => client.disconnect());
    const slot = slotOf("{fire}");
    let n = 0;
    const aftermath = await underFire({
      storage: { client },
      milliseconds: SECONDS * 1_000,
      break: (signal) =>
        repeatedly(signal, 500, async () => {
          n += 1;
          const next = cluster.masters[n % cluster.masters.length];
          if (next !== undefined) await cluster.moveSlot(slot, next, 10);
        }),
    });
    expect(problemsOf(aftermath)).toEqual([]);
    expect(n).toBeGreaterThan(2);
  });

  test(
    "fail-overs by Sentinels hang nothing, and lose at most what was not copied",
    { timeout: TIMEOUT },
    async () => {
      const group = await startSentinelGroup(SOUND);
      afterTest(() => group.stop());
      let n = 0;
      const aftermath = await underFire({
        storage: {
          connection: { sentinels: [...group.sentinels], name: group.name },
          minReplicas: 1,
        },
        lease: "3s",
        milliseconds: SECONDS * 1_000,
        break: (signal) =>
          repeatedly(signal, 1_000, async () => {
            n += 1;
            await group.failOver();
            await group.settled();
          }),
      });
      report({ ...aftermath, failOvers: n });
      // settlements are not waited for: a run whose outcome was not copied runs again
      expect(aftermath).toMatchObject({ completed: aftermath.accepted, left: 0 });
      expect(aftermath.longestCall).toBeLessThan(6_500);
      expect(n).toBeGreaterThan(0);
    },
  );
});
