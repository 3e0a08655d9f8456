/** What a queue keeps no longer is found beside another queue with many more jobs in the same file. */
import { join } from "node:path";
import type { NewJob, SettledOutcome, StorageContract } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { claim as claimJobs, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const QUIET = "quiet";
const OTHERS = 60_000;
const KEPT = { for: 1_000, max: 1e6 };

/** Looks at the quiet queue, as an idle consumer does once a second. Answers the milliseconds of this process that it took. */
async function looks(storage: StorageContract, times: number, from: number, queue = QUIET): Promise<number> {
  const before = process.cpuUsage();
  for (let request = 1; request <= times; request += 1) {
    await storage.step({
      queue,
      owner: "looks",
      request: from + request,
      tasks: ["work"],
      settled: [],
      begun: [],
      claim: { begin: 1, ahead: 0, lease: 30_000 },
      now: from + request * 1_001,
    });
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function storeFinal(storage: StorageContract): Promise<string> {
  const one = flow();
  await storage.enqueue({ queue: QUIET, flows: [one] });
  await storage.amend({ queue: QUIET, ids: [one.end], change: { kind: "revoke", scope: "flow" } });
  return one.end;
}

async function storeOthers(storage: StorageContract): Promise<void> {
  for (let stored = 0; stored < OTHERS; stored += 5_000) {
    await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 5_000 }, () => flow()) });
  }
}

async function opened(kept: number): Promise<StorageContract> {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  await storage.open({
    queue: QUIET,
    retention: { completed: { ...KEPT, for: kept }, failed: { ...KEPT, for: kept } },
  });
  return storage;
}

test("looks for what a quiet queue keeps no longer cost as little beside many jobs of another", async () => {
  const storage = await opened(3_600_000);
  await storeFinal(storage);
  const now = Date.now();
  await looks(storage, 100, now);
  const alone = await looks(storage, 100, now + 200_000);
  await storeOthers(storage);
  const beside = await looks(storage, 100, now + 400_000);
  expect(beside).toBeLessThan(alone * 5 + 60);
});

test("what a quiet queue keeps no longer goes, on both sides of many jobs of another", async () => {
  const storage = await opened(1_000);
  const ids = [await storeFinal(storage)];
  await storeOthers(storage);
  ids.push(await storeFinal(storage));
  const read = (): Promise<readonly unknown[]> => storage.read({ queue: QUIET, ids });
  await looks(storage, 20, Date.now() + 10_000);
  expect(await read()).toEqual([undefined, undefined]);
  ids.splice(0, 2, await storeFinal(storage), await storeFinal(storage));
  const purged = await storage.purge({ queue: QUIET, limit: 10, now: Date.now() + 10_000 });
  expect(purged).toEqual({ removed: 2, more: false });
  expect(await read()).toEqual([undefined, undefined]);
});

/** A group, of which one member is open, and other jobs; all else has completed, the members first. */
async function besideGroup(storage: StorageContract, keep: NewJob["keep"]): Promise<readonly string[]> {
  const members = Array.from({ length: MEMBERS }, () => flow({ keep }));
  const others = Array.from({ length: 6 }, () => flow({ keep }));
  const open = flow({ task: "open" });
  const jobs = [...members, open].flatMap((one) => one.jobs);
  const id = flow().end;
  const group = { end: id, jobs, joins: [{ id, mode: "all" as const, members: jobs.map((job) => job.id) }] };
  await storage.enqueue({ queue: QUEUE, flows: [group, ...others] });
  await complete(storage, "work", MEMBERS + 6, Date.now());
  return others.map(({ end }) => end);
}

/** Runs so many jobs of a task. */
async function complete(storage: StorageContract, task: string, count: number, from: number): Promise<void> {
  const about = { queue: QUEUE, owner: `owner at ${from}`, tasks: [task], begun: [] };
  for (let request = 1; request <= count; request += 1) {
    const claim = { begin: 1, ahead: 0, lease: 30_000 };
    const at = from + request;
    const [run] = (await storage.step({ ...about, request, settled: [], claim, now: at })).claimed;
    const outcome = { kind: "completed", result: undefined } as const;
    const settled = run === undefined ? [] : [{ ...run, startedAt: at, outcome, add: undefined }];
    await storage.step({ ...about, request, settled, claim: undefined, now: at });
  }
}

/** More than one step looks at. */
const MEMBERS = 150;

test.each([
  ["a task", 1e6, { completed: undefined, failed: undefined, completedMax: 2 }],
  ["the queue", 2, undefined],
])("what %s keeps no longer goes with steps, behind many that are needed", async (_, max, keep) => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const kept = { for: 1e9, max };
  await storage.open({ queue: QUEUE, retention: { completed: kept, failed: kept } });
  const ids = await besideGroup(storage, keep);
  await looks(storage, 10, Date.now() + 60_000, QUEUE);
  const left = (await storage.read({ queue: QUEUE, ids })).map((record) => record !== undefined);
  expect(left).toEqual([false, false, false, false, true, true]);
  const counts = await storage.counts({ queue: QUEUE });
  expect(counts["*"]?.completed).toBe(MEMBERS + 2);
});

test("what a task keeps no longer goes with steps, though others have removed what this process had passed", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const [storage, other] = [await openStorage({ path }), await openStorage({ path })];
  const keep = { completed: undefined, failed: undefined, completedMax: 2 };
  await besideGroup(storage, keep);
  const now = Date.now();
  await looks(storage, 2, now + 60_000, QUEUE);
  await complete(other, "open", 1, now + 65_000);
  await other.purge({ queue: QUEUE, limit: 1_000, now: now + 80_000 });
  expect((await storage.counts({ queue: QUEUE }))["*"]?.completed).toBe(3);
  await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 20 }, () => flow({ keep })) });
  await complete(storage, "work", 20, now + 90_000);
  await looks(storage, 10, now + 110_000, QUEUE);
  expect((await storage.counts({ queue: QUEUE }))["*"]?.completed).toBe(3);
});

test("a purge removes no more than it was asked to", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  await storage.open({ queue: QUEUE, retention: { completed: { for: 1_000, max: 1e6 }, failed: KEPT } });
  const keep = { completed: 1e9, failed: undefined, completedMax: 1 };
  await storage.enqueue({ queue: QUEUE, flows: [flow(), flow({ keep }), flow({ keep })] });
  await complete(storage, "work", 3, Date.now());
  const purged = await storage.purge({ queue: QUEUE, limit: 1, now: Date.now() + 60_000 });
  expect(purged).toEqual({ removed: 1, more: true });
});

// Looking along what follows from each stage would take far longer than a test may.
test("a pipe of 6,000 stages that failed is kept for its error handler, and goes once that has ended", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const stages = Array.from({ length: 6_000 }, () => flow().jobs[0] as NewJob);
  const pipe = stages.map((stage, index): NewJob => {
    const before = stages[index - 1];
    return before === undefined ? stage : { ...stage, after: [{ source: before.id, on: "completed" }] };
  });
  const end = (stages.at(-1) as NewJob).id;
  const handler: NewJob = { ...(flow().jobs[0] as NewJob), after: [{ source: end, on: "failed" }] };
  await storage.enqueue({ queue: QUEUE, flows: [{ end, jobs: [...pipe, handler], joins: [] }] });
  const runAs = async (request: number, outcome: SettledOutcome): Promise<string> => {
    const [run] = await claimJobs(storage, request);
    if (run === undefined) throw new Error("nothing was claimed");
    const settled = [{ id: run.id, fence: run.fence, startedAt: Date.now(), outcome, add: undefined }];
    const step = { queue: QUEUE, owner: "owner", tasks: ["work"], begun: [], claim: undefined };
    await storage.step({ ...step, request: request + 1, settled });
    return run.id;
  };
  await runAs(1, { kind: "failed", error: new Uint8Array([9]) });
  const now = Date.now() + 2e9;
  expect(await storage.purge({ queue: QUEUE, limit: 10_000, now })).toEqual({ removed: 0, more: false });
  expect(await runAs(3, { kind: "completed", result: undefined })).toBe(handler.id);
  const later = now + 2e9;
  expect(await storage.purge({ queue: QUEUE, limit: 10_000, now: later })).toEqual({
    removed: 6_001,
    more: false,
  });
});
