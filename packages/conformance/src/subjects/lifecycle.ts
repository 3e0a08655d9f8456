import assert from "node:assert/strict";
import type { StorageContract } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { OWNER, RETENTION } from "../context.js";
import { promise, subject, type Subject } from "../promise.js";
import { neighbours } from "./neighbours.js";

export const lifecycle: Subject = subject("open and close", [
  promise("opening a queue twice keeps its jobs", async (context) => {
    const waiting = context.job();
    const running = context.job();
    await context.enqueue(running, waiting);
    const run = await context.claimOne(running.id);
    await context.open(context.queue, { ...RETENTION, completed: { for: 1e10, max: 1e5 } });
    assert.deepEqual(await context.states(running.id, waiting.id), ["active", "ready"]);
    assert.equal(await context.complete(run), "applied");
    await context.claimOne(waiting.id);
  }),

  promise("opening again changes how long jobs are kept that are final already", async (context) => {
    const purge = (): Promise<unknown> =>
      context.storage.purge({ queue: context.queue, limit: 10, now: context.now });
    const keepFor = (kept: number): Promise<void> =>
      context.open(context.queue, {
        completed: { ...RETENTION.completed, for: kept },
        failed: { ...RETENTION.failed, for: 2 * kept },
      });
    await keepFor(1_000);
    const [completed, failed] = context.jobs(2);
    await context.enqueue(completed, failed);
    await context.runToEnd(completed.id);
    await context.runToFailure(failed.id);
    await keepFor(10_000);
    context.advance(9_000);
    await purge();
    assert.deepEqual(await context.states(completed.id, failed.id), ["completed", "failed"]);
    await keepFor(8_000);
    await purge();
    assert.deepEqual(await context.states(completed.id, failed.id), [undefined, "failed"]);
    await keepFor(1_000);
    await purge();
    assert.equal(await context.state(failed.id), undefined);
  }),

  promise("queues of different names on one storage do not see each other's jobs", async (context) => {
    const here = context.job({ id: "same-name", body: "here" });
    await context.enqueue(here);
    const first = context.queue;
    await context.open("another");
    assert.equal(await context.read(here.id), undefined);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    const page = await context.storage.list({ queue: context.queue, limit: 10, now: context.now });
    assert.deepEqual(page.records, []);
    const there = context.job({ id: "same-name", body: "there" });
    const stored = await context.enqueue(there);
    assert.equal(stored.flows[0]?.status, "stored");
    await context.runToEnd(there.id);
    context.queue = first;
    assert.equal(await context.state(here.id), "ready");
    const claimed = await context.claimOne();
    assert.equal(text(claimed.body), "here");
  }),

  ...neighbours,

  promise("a closed storage refuses every call with TASKQ_CLOSED", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    await context.storage.close();
    const flow = { end: job.id, jobs: [job], joins: [] };
    for (const [name, call] of callsOf(context.storage, context.queue, flow, context.now)) {
      await assert.rejects(call, (error: unknown) => {
        assert.equal((error as { code?: unknown }).code, "TASKQ_CLOSED", `${name}: ${String(error)}`);
        return true;
      });
    }
  }),

  promise("closing twice does nothing", async ({ storage }) => {
    await storage.close();
    await storage.close();
  }),
]);

type Flow = Parameters<StorageContract["enqueue"]>[0]["flows"][number];

function callsOf(
  storage: StorageContract,
  queue: string,
  flow: Flow,
  now: number,
): readonly (readonly [string, () => Promise<unknown>])[] {
  const about = { queue, now };
  const run = { id: flow.end, fence: 1 };
  const step = { ...about, owner: OWNER, request: 1, tasks: ["work"], settled: [], begun: [] };
  return [
    ["open", () => storage.open({ ...about, retention: RETENTION })],
    ["enqueue", () => storage.enqueue({ ...about, flows: [flow] })],
    ["step", () => storage.step({ ...step, claim: undefined })],
    ["renew", () => storage.renew({ ...about, owner: OWNER, lease: 1_000, runs: [run] })],
    ["reap", () => storage.reap({ ...about, limit: 10 })],
    ["amend", () => storage.amend({ ...about, ids: [flow.end], change: { kind: "retry" } })],
    ["control", () => storage.control({ ...about, task: "work", change: { kind: "pause" } })],
    [
      "tick",
      () =>
        storage.tick({ ...about, name: "s", previous: now - 1, at: now, flows: [flow], overlap: "allow" }),
    ],
    ["schedules", () => storage.schedules(about)],
    ["read", () => storage.read({ ...about, ids: [flow.end] })],
    ["list", () => storage.list({ ...about, limit: 1 })],
    ["explain", () => storage.explain({ ...about, ids: [flow.end] })],
    ["counts", () => storage.counts(about)],
    ["note", () => storage.note({ ...about, run, kind: "log", bytes: bytes("line") })],
    ["notes", () => storage.notes({ queue, id: flow.end })],
    ["values", () => storage.values({ ...about, operation: "1", operations: [{ kind: "get", key: "key" }] })],
    ["keys", () => storage.keys({ ...about, kind: "inspect", name: "lock" })],
    ["take", () => storage.take({ ...about, operation: "2", key: "limit", max: 1, per: 1_000 })],
    ["stats", () => storage.stats({ ...about, since: 0 })],
    ["events", () => storage.events({ ...about, from: "now", limit: 1 })],
    ["export", () => storage.export({ ...about, kind: "begin" })],
    ["import", () => storage.import({ ...about, kind: "begin", departure: "d", epoch: 0 })],
    ["phase", () => storage.phase({ queue })],
    ["purge", () => storage.purge({ ...about, limit: 10 })],
  ];
}
