import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createQueue, task, type LimitPolicy, type Storage } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { closing, serve } from "./serving.js";
import { temporaryFolder, until } from "./support.js";

const MAX = 3;
const PER = 400;
const script = fileURLToPath(new URL("./fixtures/limited-worker.mjs", import.meta.url));

interface Started {
  readonly type: "started";
  /** As stored. */
  readonly at: number;
  readonly id: string;
}

/** A consumer in a process of its own, and the starts that it has told of. */
function limitedWorker(options: {
  readonly path: string;
  readonly limit: LimitPolicy;
  readonly lease?: number;
  readonly hangs?: boolean;
}): { readonly process: ChildProcess; readonly started: Started[] } {
  const child = fork(script, [JSON.stringify(options)]);
  const started: Started[] = [];
  child.on("message", (message) => started.push(message as Started));
  onTestFinished(() => void child.kill("SIGKILL"));
  return { process: child, started };
}

/** A queue whose handlers answer when their runs were claimed, as stored. */
function limitedQueue(storage: Storage, limit: LimitPolicy) {
  const limited = task("limited", { limit }, async (_: void, { id }): Promise<number> => {
    const { causes } = await queue.why(id);
    return causes[0]?.evidence["since"] as number;
  });
  const queue = closing(createQueue({ storage, tasks: { limited } }));
  return { queue, limited };
}

/** The most starts in any window. */
function mostIn(starts: readonly number[], per: number): number {
  return Math.max(...starts.map((from) => starts.filter((at) => at >= from && at < from + per).length));
}

describe.each([
  ["memory", async () => Array<Storage>(3).fill(memoryStorage())],
  [
    "SQLite",
    async () => {
      const path = join(await temporaryFolder(), "jobs.db");
      return Array.from({ length: 3 }, () => sqliteStorage({ path }));
    },
  ],
] as const)("limits in consumers of %s", (_name, connect) => {
  test("several consumers together start no more than the limit allows", async () => {
    const limit = { max: MAX, per: PER };
    const queues = (await connect()).map((storage) => limitedQueue(storage, limit));
    const [{ queue, limited }] = queues as [(typeof queues)[number]];
    const results = await queue.enqueueMany(Array.from({ length: 14 }, () => limited.job()));
    for (const one of queues) await serve(one.queue, { workers: 4 });
    for (let count = 0; count < 3; count += 1) await queue.limit("limited", limit).acquire();
    const starts = await Promise.all(results.map((result) => result.wait({ timeout: "20s" })));
    expect(starts.every(Number.isSafeInteger)).toBe(true);
    expect(mostIn(starts, PER)).toBeLessThanOrEqual(MAX);
  });
});

test("several processes together start no more than the limit allows, also when they are killed", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const limit = { max: MAX, per: PER };
  const { queue, limited } = limitedQueue(sqliteStorage({ path }), limit);
  const results = await queue.enqueueMany(Array.from({ length: 24 }, () => limited.job()));
  const workers = [1, 2].map(() => limitedWorker({ path, limit, lease: 500 }));
  const starts = (): readonly number[] => workers.flatMap(({ started }) => started.map(({ at }) => at));
  for (let kill = 0; kill < 3; kill += 1) {
    const victim = limitedWorker({ path, limit, lease: 500, hangs: true });
    workers.push(victim);
    await until(() => victim.started.length > 0 || starts().length >= results.length);
    victim.process.kill("SIGKILL");
  }
  await Promise.all(results.map((result) => result.wait({ timeout: "20s" })));
  expect(starts().length).toBeGreaterThanOrEqual(results.length);
  expect(mostIn(starts(), PER)).toBeLessThanOrEqual(MAX);
});

test("the start of a killed consumer still counts", async () => {
  const path = join(await temporaryFolder(), "jobs.db");
  const limit = { max: 1, per: 2_000 };
  const { queue, limited } = limitedQueue(sqliteStorage({ path }), limit);
  const killed = await queue.enqueue(limited.job());
  const victim = limitedWorker({ path, limit, lease: 200, hangs: true });
  await until(() => victim.started.length > 0);
  victim.process.kill("SIGKILL");
  const other = await queue.enqueue(limited.job());
  await serve(queue, { lease: 200 });
  const starts = await Promise.all([killed, other].map((result) => result.wait({ timeout: "20s" })));
  const all = [victim.started[0]!.at, ...starts].toSorted((left, right) => left - right);
  expect(all[0]).toBe(victim.started[0]!.at);
  expect(all[1]! - all[0]!).toBeGreaterThanOrEqual(2_000);
  expect(all[2]! - all[1]!).toBeGreaterThanOrEqual(2_000);
  expect(await killed.info()).toMatchObject({ attempt: 2, crashes: 1 });
});
