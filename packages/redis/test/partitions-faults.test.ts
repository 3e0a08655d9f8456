/** Queues in several partitions whose processes are killed, whose connections are cut, and whose server dies. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { NewFlow, StorageContract } from "@taskq/core/storage";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Caller } from "../src/connection/caller.js";
import { SCRIPTS } from "../src/lua/scripts.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { refusalOf, serverOfTest } from "./support/callers.js";
import { again, alone, chain, newJob, opened, QUEUE, Worker } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const PARTITIONS = 3;
const SOUND = ["--appendonly", "yes"];
const WORKERS = 2;

/** Mostly plain ones, some in batches; pipelines, and jobs behind a lock. */
function flowsOf(number: number): readonly NewFlow[] {
  if (number % 5 === 0) return [chain(newJob(), newJob())];
  if (number % 7 === 0) return Array.from({ length: 6 }, () => alone(newJob()));
  const lock = { kind: "lock", key: "door", max: 2, per: undefined, onBusy: "wait" } as const;
  return [alone(newJob(number % 11 === 0 ? { gates: [lock] } : {}))];
}

async function unfinished(storage: StorageContract): Promise<number> {
  const counts = (await again(() => storage.counts({ queue: QUEUE })))["*"];
  const { ready = 0, active = 0, parked = 0, blocked = 0, scheduled = 0 } = counts ?? {};
  return ready + active + parked + blocked + scheduled;
}

/** Stores and works until nobody disturbs any more, and then until all is done. */
async function underFire(url: string, disturb: () => Promise<void>): Promise<Aftermath> {
  const options = { url, keyPrefix: newPrefix(), partitions: PARTITIONS };
  const storages = await Promise.all(Array.from({ length: WORKERS }, () => opened(options)));
  const producer = await opened(options);
  const phase = { disturbed: false, drained: false };
  const enqueued: string[] = [];
  const produce = async (): Promise<void> => {
    for (let number = 1; !phase.disturbed; number += 1) {
      const flows = flowsOf(number);
      await again(() => producer.enqueue({ queue: QUEUE, flows }));
      enqueued.push(...flows.flatMap(({ jobs }) => jobs.map(({ id }) => id)));
      await sleep(1);
    }
  };
  const workers = storages.map((storage, place) => new Worker(storage, `worker ${place}`));
  const work = Promise.all(workers.map((worker) => worker.run(() => phase.drained)));
  const produced = produce();
  await disturb();
  phase.disturbed = true;
  await produced;
  while ((await unfinished(producer)) > 0) await sleep(20);
  phase.drained = true;
  await work;
  return {
    lost: workers.flatMap((worker) => worker.lost),
    done: workers.flatMap((worker) => worker.done).toSorted(),
    enqueued: enqueued.toSorted(),
  };
}

interface Aftermath {
  /** Whose run was somebody else's by the time it was settled. */
  readonly lost: readonly string[];
  /** Settled, by whichever worker. */
  readonly done: readonly string[];
  readonly enqueued: readonly string[];
}

describe.skipIf(serverBinary() === undefined)("partitions under fire", () => {
  test("nothing is lost or done twice while all connections are cut", { timeout: 60_000 }, async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const { lost, done, enqueued } = await underFire(server.url, async () => {
      for (let turn = 0; turn < 15; turn += 1) {
        await sleep(100);
        await ask(server.port, [["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]]);
      }
    });
    expect(lost).toEqual([]);
    expect(done).toEqual(enqueued);
    expect(enqueued.length).toBeGreaterThan(20);
  });

  test(
    "nothing is lost or done twice while the server is killed and starts again",
    { timeout: 60_000 },
    async () => {
      const server = await serverOfTest({ arguments: SOUND });
      const { lost, done, enqueued } = await underFire(server.url, async () => {
        for (let turn = 0; turn < 3; turn += 1) {
          await sleep(400);
          await server.kill();
          await server.restart();
        }
      });
      expect(lost).toEqual([]);
      expect(done).toEqual(enqueued);
      expect(enqueued.length).toBeGreaterThan(20);
    },
  );

  test("a server that is flushed while a queue is opened has it in as many partitions as were asked for", async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const options = { url: server.url, keyPrefix: newPrefix(), partitions: PARTITIONS };
    const run = Reflect.get(Caller.prototype, "run");
    let flushes = 0;
    // Right before the first partition is made.
    const flushing = vi.spyOn(Caller.prototype, "run").mockImplementation(async function (
      this: Caller,
      script,
      ...rest
    ) {
      if (script === SCRIPTS.open && flushes === 0) {
        flushes += 1;
        await ask(server.port, [["FLUSHALL"]]);
      }
      return run.call(this, script, ...rest);
    });
    onTestFinished(() => flushing.mockRestore());
    const storage = await opened(options);
    await storage.enqueue({ queue: QUEUE, flows: [alone(newJob())] });
    const other = await opened(options);
    expect(flushes).toBe(1);
    expect(await other.counts({ queue: QUEUE })).toMatchObject({ "*": { ready: 1 } });
  });

  test("every call settles in its time when the server freezes", { timeout: 60_000 }, async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const options = {
      url: server.url,
      keyPrefix: newPrefix(),
      partitions: PARTITIONS,
      timeout: "500ms",
    } as const;
    const storage = await opened(options);
    const jobs = Array.from({ length: 6 }, () => newJob());
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    const queue = QUEUE;
    const ids = jobs.map(({ id }) => id);
    const claim = { begin: 5, ahead: 0, lease: 5_000 };
    const step = { queue, owner: "owner", request: 1, tasks: ["work"], settled: [], begun: [], claim };
    const run = { id: ids[0] ?? "", fence: 1 };
    const calls: readonly (() => Promise<unknown>)[] = [
      () => storage.enqueue({ queue, flows: [alone(newJob()), alone(newJob()), alone(newJob())] }),
      () => storage.step(step),
      () => storage.read({ queue, ids }),
      () => storage.amend({ queue, ids, change: { kind: "revoke", scope: "flow" } }),
      () => storage.control({ queue, task: "work", change: { kind: "pause" } }),
      () => storage.renew({ queue, owner: "owner", lease: 1_000, runs: [run] }),
      () => storage.note({ queue, run, kind: "log", bytes: new Uint8Array() }),
      () => storage.explain({ queue, ids }),
      () => storage.events({ queue, from: "now", limit: 1 }),
      () => storage.counts({ queue }),
    ];
    server.pause();
    const begun = performance.now();
    const codes = await Promise.all(calls.map(async (call) => (await refusalOf(call())).code));
    expect(new Set(codes)).toEqual(new Set(["TASKQ_UNAVAILABLE"]));
    expect(performance.now() - begun).toBeLessThan(5_000);
    server.resume();
    await again(() => storage.control({ queue, task: "work", change: { kind: "resume" } }));
    // Asked again by number, it answers what it may have claimed, or nothing, and then all that is left.
    const some = await again(() => storage.step(step));
    const rest = await again(() => storage.step({ ...step, request: 2, claim: { ...claim, begin: 50 } }));
    const counts = (await storage.counts({ queue }))["*"];
    expect(some.claimed.length + rest.claimed.length).toBe(counts?.active);
    expect(counts?.ready).toBe(0);
  });

  test("what a killed process has claimed is run by others", { timeout: 60_000 }, async () => {
    const server = await serverOfTest({ arguments: SOUND });
    const keyPrefix = newPrefix();
    const storage = await opened({ url: server.url, keyPrefix, partitions: PARTITIONS });
    const jobs = Array.from({ length: 90 }, () => newJob());
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    const environment = {
      TASKQ_URL: server.url,
      TASKQ_PREFIX: keyPrefix,
      TASKQ_PARTITIONS: "3",
      TASKQ_LEASE: "400",
    };
    const claimed = new Set<string>();
    for (let turn = 0; turn < 3; turn += 1) {
      const child = fork(fileURLToPath(new URL("./support/claimer.js", import.meta.url)), [], {
        execArgv: [],
        env: { ...process.env, ...environment },
      });
      // In the middle of a claim, as likely as not.
      for (let told = 0; told < 2 + turn; told += 1) {
        const [ids] = (await once(child, "message")) as [string[]];
        for (const id of ids) claimed.add(id);
      }
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    expect(claimed.size).toBeGreaterThan(20);
    const phase = { drained: false };
    const worker = new Worker(storage, "survivor");
    const work = worker.run(() => phase.drained);
    while ((await unfinished(storage)) > 0) {
      await storage.reap({ queue: QUEUE, limit: 100 });
      await sleep(50);
    }
    phase.drained = true;
    await work;
    expect(worker.lost).toEqual([]);
    expect(worker.done.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  });
});
