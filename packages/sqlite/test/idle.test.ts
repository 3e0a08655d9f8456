import { statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { afterTest, claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

interface Watched {
  readonly storage: StorageContract;
  readonly path: string;
  /** Whether somebody has written since the last time. */
  readonly written: () => boolean;
}

async function watched(): Promise<Watched> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const database = new Database(path);
  afterTest(() => void database.close());
  const look = (): string => {
    const { size, mtimeMs } = statSync(`${path}-wal`);
    return `${String(database.pragma("data_version", { simple: true }))} ${size} ${mtimeMs}`;
  };
  let before = look();
  return {
    storage,
    path,
    written: () => {
      const now = look();
      const changed = now !== before;
      before = now;
      return changed;
    },
  };
}

let request = 1_000;

async function idleCalls(storage: StorageContract): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    request += 1;
    const answer = await storage.step({
      queue: QUEUE,
      owner: "idle",
      request,
      tasks: ["work"],
      settled: [],
      begun: [],
      claim: { begin: 5, ahead: 5, lease: 30_000 },
    });
    expect(answer.claimed).toEqual([]);
    expect((await storage.reap({ queue: QUEUE, limit: 10 })).reaped).toEqual([]);
    await storage.schedules({ queue: QUEUE });
  }
}

test("steps and reaps of an empty queue write nothing", async () => {
  const { storage, written } = await watched();
  await idleCalls(storage);
  expect(written()).toBe(false);
});

test("steps beside jobs that may not run yet write nothing", async () => {
  const { storage, written } = await watched();
  await storage.enqueue({ queue: QUEUE, flows: [flow({ due: Date.now() + 1e6 }), flow()] });
  const [run] = await claim(storage, 1);
  expect(run).toBeDefined();
  await storage.control({ queue: QUEUE, task: "other", change: { kind: "pause" } });
  await storage.enqueue({ queue: QUEUE, flows: [flow({ task: "unknown" })] });
  // The first one parks the job that nobody knows.
  await idleCalls(storage);
  expect(written()).toBe(true);
  await idleCalls(storage);
  expect(written()).toBe(false);
});

test("a step of an idle queue tells when the next job is due", async () => {
  const { storage } = await watched();
  const due = Date.now() + 1e6;
  await storage.enqueue({ queue: QUEUE, flows: [flow({ due })] });
  const answer = await storage.step({
    queue: QUEUE,
    owner: "idle",
    request: (request += 1),
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 1, ahead: 0, lease: 30_000 },
  });
  expect(answer.nextDue).toBe(due);
});

test("steps beside final jobs that are kept write nothing, and purge once their time is over", async () => {
  const { storage, written } = await watched();
  const now = Date.now();
  const retention = { completed: { for: 10_000, max: 100 }, failed: { for: 10_000, max: 100 } };
  await storage.open({ queue: QUEUE, retention });
  const stored = flow();
  await storage.enqueue({ queue: QUEUE, flows: [stored] });
  const [run] = await claim(storage, 1);
  const step = {
    queue: QUEUE,
    owner: "owner",
    tasks: ["work"],
    begun: [],
    claim: { begin: 1, ahead: 0, lease: 30_000 },
  };
  await storage.step({
    ...step,
    request: 2,
    settled: [
      {
        id: run!.id,
        fence: run!.fence,
        startedAt: now,
        outcome: { kind: "completed", result: undefined },
        add: undefined,
      },
    ],
  });
  written();
  for (let turn = 3; turn < 10; turn += 1) {
    await storage.step({ ...step, request: turn, settled: [], now: now + turn * 1_000 });
  }
  expect(written()).toBe(false);
  await storage.step({ ...step, request: 20, settled: [], now: now + 20_000 });
  expect(written()).toBe(true);
  expect(await storage.read({ queue: QUEUE, ids: [stored.end] })).toEqual([undefined]);
});

test("watching an idle file writes nothing", async () => {
  const { storage, written } = await watched();
  const stop = storage.watch(QUEUE, () => {});
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  stop();
  expect(written()).toBe(false);
});
