/** Workers on one queue while its connections are cut and its server is killed: nothing is lost, and nothing done twice. */
import { setTimeout as sleep } from "node:timers/promises";
import type { NewFlow } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { scan } from "./support/scan.js";
import { again, alone, chain, newJob, QUEUE, Worker } from "./support/spread.js";
import { connect, newPrefix } from "./support/store.js";

const RETENTION = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
const LEASE = 10_000;
const WORKERS = 3;

/** Single jobs, pipelines of two, and jobs behind one lock. */
function newFlow(number: number): NewFlow {
  if (number % 5 === 0) {
    return chain(newJob(), newJob());
  }
  const lock = { kind: "lock", key: "door", max: 2, per: undefined, onBusy: "wait" } as const;
  return alone(newJob(number % 7 === 0 ? { gates: [lock] } : {}));
}

interface Outcome {
  readonly enqueued: readonly string[];
  /** Settled, by whichever worker. */
  readonly done: readonly string[];
  /** Whose run was somebody else's by the time it was settled. */
  readonly lost: readonly string[];
}

/** Enqueues and works until `disturb` is done with it. */
async function underFire(server: RedisServer, disturb: () => Promise<void>): Promise<Outcome> {
  const prefix = newPrefix();
  const storages = Array.from({ length: WORKERS }, () => connect(server, prefix));
  for (const storage of storages) await storage.open({ queue: QUEUE, retention: RETENTION });
  const phase = { disturbed: false, drained: false };
  const enqueued: string[] = [];
  const first = storages[0] ?? connect(server, prefix);
  const produce = async (): Promise<void> => {
    for (let number = 0; !phase.disturbed; number += 1) {
      const flow = newFlow(number);
      await again(() => first.enqueue({ queue: QUEUE, flows: [flow] }));
      enqueued.push(...flow.jobs.map(({ id }) => id));
    }
  };
  const workers = storages.map((storage, place) => new Worker(storage, `worker ${place}`, LEASE));
  const work = Promise.all(workers.map((worker) => worker.run(() => phase.drained)));
  const produced = produce();
  await disturb();
  phase.disturbed = true;
  await produced;
  const unfinished = async (): Promise<number> => {
    const counts = (await again(() => first.counts({ queue: QUEUE })))["*"];
    return (counts?.ready ?? 0) + (counts?.active ?? 0) + (counts?.parked ?? 0) + (counts?.blocked ?? 0);
  };
  const end = Date.now() + 2 * LEASE;
  while ((await unfinished()) > 0 && Date.now() < end) await sleep(20);
  phase.drained = true;
  await work;
  await scan(server.url, prefix, QUEUE);
  for (const storage of storages) await storage.close();
  return {
    enqueued,
    done: workers.flatMap((worker) => worker.done),
    lost: workers.flatMap((worker) => worker.lost),
  };
}

function expectAll({ enqueued, done, lost }: Outcome): void {
  expect(lost).toEqual([]);
  expect(done.toSorted()).toEqual([...enqueued].toSorted());
  expect(enqueued.length).toBeGreaterThan(20);
}

describe.skipIf(serverBinary() === undefined)("a queue under fire", () => {
  test("loses nothing and does nothing twice while all of its connections are cut", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    const knife = new Redis(server.url);
    const outcome = await underFire(server, async () => {
      for (let turn = 0; turn < 30; turn += 1) {
        await sleep(100);
        await knife.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      }
    });
    knife.disconnect();
    await server.stop();
    expect(outcome.lost).toEqual([]);
    expectAll(outcome);
  }, 60_000);

  test("loses nothing and does nothing twice while its scripts are forgotten", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    const knife = new Redis(server.url);
    const outcome = await underFire(server, async () => {
      for (let turn = 0; turn < 50; turn += 1) {
        await sleep(20);
        await knife.call("SCRIPT", "FLUSH");
      }
    });
    knife.disconnect();
    await server.stop();
    expect(outcome.lost).toEqual([]);
    expectAll(outcome);
  }, 60_000);

  test("loses nothing and does nothing twice while its server is killed and starts again", async () => {
    const server = await startRedisServer({ arguments: ["--appendonly", "yes"] });
    const outcome = await underFire(server, async () => {
      for (let turn = 0; turn < 5; turn += 1) {
        await sleep(400);
        await server.kill();
        await server.restart();
      }
    });
    await server.stop();
    expect(outcome.lost).toEqual([]);
    expectAll(outcome);
  }, 60_000);
});
