import { join } from "node:path";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { ChildWorker } from "./child-worker.js";
import { closing, serve } from "./serving.js";
import { sleep, temporaryFolder, until } from "./support.js";

// The same names as in fixtures/worker.mjs.
const slow = task("slow", async (delay: number) => {
  await sleep(delay);
  return process.pid;
});
const endless = task("endless", async () => {});
const deaf = task("deaf", async () => {});

async function openQueue() {
  const path = join(await temporaryFolder(), "jobs.db");
  const queue = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { slow, endless, deaf } }));
  // Made before the children look for it.
  await queue.counts();
  return { path, queue };
}

test("SIGTERM lets a process finish what it has begun, and nothing more", async () => {
  const { path, queue } = await openQueue();
  const [first, second] = await queue.enqueueMany([slow.job(400), slow.job(1)]);
  const child = new ChildWorker(path, { workers: 1 });
  await child.heard("started");
  child.process.kill("SIGTERM");
  expect(await child.ended).toBe(0);
  expect(await first?.peek()).toEqual({ state: "completed", value: child.pid });
  expect(await second?.state()).toBe("ready");
});

test("a second SIGINT gives back what runs", async () => {
  const { path, queue } = await openQueue();
  const result = await queue.enqueue(endless.job());
  const child = new ChildWorker(path);
  await child.heard("started");
  child.process.kill("SIGINT");
  await sleep(100);
  expect(child.process.exitCode).toBeNull();
  child.process.kill("SIGINT");
  expect(await child.ended).toBe(0);
  expect(await child.heard("aborted")).toMatchObject({ code: "TASKQ_SHUTDOWN" });
  expect(await result.state()).toBe("ready");
});

test("a third SIGTERM ends the process at once", async () => {
  const { path, queue } = await openQueue();
  await queue.enqueue(deaf.job());
  const child = new ChildWorker(path);
  await child.heard("started");
  for (let count = 0; count < 3; count += 1) {
    child.process.kill("SIGTERM");
    await sleep(60);
  }
  expect(await child.ended).toBe(130);
});

test("what a killed process held runs again elsewhere once its lease is over", async () => {
  const { path, queue } = await openQueue();
  const result = await queue.enqueue(slow.job(60_000));
  const child = new ChildWorker(path, { lease: 400 });
  await child.heard("started");
  child.process.kill("SIGKILL");
  await child.ended;
  const [pid, runs] = [process.pid, { count: 0 }];
  const quick = task("slow", async () => {
    runs.count += 1;
    return pid;
  });
  const rescuers = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { quick } }));
  await serve(rescuers, { lease: 400 });
  expect(await result.wait({ timeout: "8s" })).toBe(pid);
  expect(runs.count).toBe(1);
  expect(await result.info()).toMatchObject({ attempt: 2 });
});

test("a job claimed ahead counts as begun once its handler runs, also when its process is killed then", async () => {
  const { path, queue } = await openQueue();
  const [first, second] = await queue.enqueueMany([slow.job(10), slow.job(60_000)]);
  const child = new ChildWorker(path, { workers: 1, prefetch: 5, lease: 400 });
  await first?.wait({ timeout: "8s" });
  await until(() => child.messages.some(({ type, id }) => type === "started" && id === second?.id));
  await sleep(100);
  child.process.kill("SIGKILL");
  await child.ended;
  const quick = task("slow", async (_: number, { attempt }) => attempt);
  const rescuers = closing(createQueue({ storage: sqliteStorage({ path }), tasks: { quick } }));
  await serve(rescuers, { lease: 400 });
  expect(await second?.wait({ timeout: "8s" })).toBe(2);
});

test("a frozen process loses its lease, and what it then settles is not taken", async () => {
  const { path, queue } = await openQueue();
  const result = await queue.enqueue(slow.job(300));
  const frozen = new ChildWorker(path, { lease: 500 });
  await frozen.heard("started");
  process.kill(frozen.pid, "SIGSTOP");
  const other = new ChildWorker(path, { lease: 500 });
  expect(await result.wait({ timeout: "8s" })).toBe(other.pid);
  process.kill(frozen.pid, "SIGCONT");
  expect(await frozen.heard("lease-lost")).toMatchObject({ id: result.id });
  await sleep(500);
  expect(await result.peek()).toEqual({ state: "completed", value: other.pid });
  expect(frozen.messages.filter(({ type }) => type === "completed")).toEqual([]);
  expect(frozen.messages.filter(({ type }) => type === "lease-lost")).toHaveLength(1);
});

test("revoking a job that runs in another process aborts it within 100 ms", async () => {
  const { path, queue } = await openQueue();
  const child = new ChildWorker(path);
  await child.heard("ready");
  const delays: number[] = [];
  for (let turn = 0; turn < 15; turn += 1) {
    const result = await queue.enqueue(endless.job());
    await until(async () => (await result.state()) === "active");
    // At any moment of a run: soon after its claim, the process has asked for what was revoked just before.
    await sleep(turn * 10);
    const revokedAt = Date.now();
    await result.revoke();
    const abort = () => child.messages.filter(({ type }) => type === "aborted")[turn];
    await until(() => abort() !== undefined);
    expect(abort()?.code).toBe("TASKQ_REVOKED");
    delays.push((abort()?.at ?? Infinity) - revokedAt);
    await expect(result.wait({ timeout: "2s" })).rejects.toMatchObject({ code: "TASKQ_CANCELLED" });
  }
  // A busy machine may be late now and then, but not most of the time.
  const [fastest, median] = [0, 7].map((place) => delays.toSorted((a, b) => a - b)[place]);
  expect(fastest, `milliseconds: ${delays.join(" ")}`).toBeLessThan(50);
  expect(median, `milliseconds: ${delays.join(" ")}`).toBeLessThan(100);
}, 30_000);

test("a job enqueued by one process is picked up by another without a poll", async () => {
  const { path, queue } = await openQueue();
  const child = new ChildWorker(path);
  await child.heard("ready");
  await sleep(200);
  const delays: number[] = [];
  for (let count = 0; count < 10; count += 1) {
    const before = performance.now();
    await (await queue.enqueue(slow.job(0))).wait({ timeout: "5s" });
    delays.push(performance.now() - before);
    await sleep(20);
  }
  // There and back; a poll would take half a second on average, twice.
  expect(delays.toSorted((a, b) => a - b)[5]).toBeLessThan(100);
});

test("four processes share the work of one file, and every job runs once", async () => {
  const { path, queue } = await openQueue();
  const children = Array.from({ length: 4 }, () => new ChildWorker(path, { workers: 5 }));
  await Promise.all(children.map((child) => child.heard("ready")));
  const results = await queue.enqueueMany(Array.from({ length: 400 }, () => slow.job(5)));
  await until(async () => (await queue.counts()).completed === 400);
  const pids = new Set(await Promise.all(results.map((result) => result.wait())));
  expect(pids.size).toBeGreaterThan(1);
  const started = children.flatMap(({ messages }) => messages.filter(({ type }) => type === "started"));
  expect(started).toHaveLength(400);
  expect(new Set(started.map(({ id }) => id)).size).toBe(400);
});
