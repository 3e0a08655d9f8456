import type { JobEffect } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { memoryStorage } from "../src/index.ts";
import { alone, behind, COMPLETED, OpenedQueue, START } from "./opened-queue.ts";

const kinds = (effects: readonly JobEffect[]): unknown =>
  effects.map(({ id, kind, reason }) => [id, kind, reason]);

test("options of another storage are refused", () => {
  const untyped = memoryStorage as (options: unknown) => unknown;
  expect(() => untyped({ path: "jobs.db" })).toThrow(
    expect.objectContaining({
      code: "TASKQ_OPTION",
      message: `memoryStorage: expected no options, got {"path":"jobs.db"}`,
    }),
  );
});

test("bytes that the caller goes on writing into do not change what is stored", async () => {
  const queue = await OpenedQueue.open();
  const body = new Uint8Array([1, 2, 3]);
  const job = queue.job({ body });
  await queue.enqueue(alone(job));
  body.fill(0);
  const [claimed] = await queue.claim(job.id);
  expect(claimed?.body).toEqual(new Uint8Array([1, 2, 3]));
  claimed?.body.fill(7);
  const result = Buffer.from("result");
  await queue.settle(claimed!, { kind: "completed", result });
  result.fill(0);
  const record = await queue.record(job.id);
  expect(Buffer.from(record.bytes!).toString()).toBe("result");
  expect(record.detail?.body).toEqual(new Uint8Array([1, 2, 3]));
  record.bytes?.fill(0);
  expect(Buffer.from((await queue.record(job.id)).bytes!).toString()).toBe("result");
});

test("a step that adds what cannot be stored changes nothing", async () => {
  const queue = await OpenedQueue.open();
  const [job, other] = [queue.job(), queue.job()];
  await queue.enqueue(alone(job), alone(other));
  const [run, second] = await queue.claim(job.id, other.id);
  const lost = alone(queue.job({ after: [{ source: "nobody", on: "completed" }] }));
  await expect(queue.settle(run!, COMPLETED, [alone(queue.job()), lost])).rejects.toMatchObject({
    code: "TASKQ_STORAGE",
  });
  await expect(queue.enqueue(alone(queue.job()), lost)).rejects.toMatchObject({ code: "TASKQ_STORAGE" });
  expect((await queue.storage.counts({ queue: "main" }))["*"]).toMatchObject({ active: 2, ready: 0 });
  expect((await queue.settle(second!, COMPLETED)).settled).toEqual(["applied"]);
});

test("an id of core's making that differs in its random part only is a collision", async () => {
  const queue = await OpenedQueue.open();
  const job = queue.job();
  await queue.enqueue(alone(job));
  const twin = queue.job({ id: `${job.id.slice(0, -1)}${job.id.endsWith("0") ? "1" : "0"}` });
  const flows = [alone(queue.job()), alone(twin)];
  expect(await queue.storage.enqueue({ queue: "main", flows, now: START })).toEqual({ collision: twin.id });
  expect((await queue.storage.counts({ queue: "main" }))["*"]?.ready).toBe(1);
});

test("a flow that follows one whose unique key is taken waits for the holder", async () => {
  const queue = await OpenedQueue.open();
  const unique = { key: "report", until: "final", onConflict: "ignore" } as const;
  const [holder, ignored] = [queue.job({ unique }), queue.job({ unique })];
  const follower = behind(queue.job(), ignored.id);
  await queue.enqueue(alone(holder));
  await queue.enqueue(alone(ignored), alone(follower));
  expect(await queue.states(ignored.id, follower.id)).toEqual([undefined, "blocked"]);
  await queue.run(holder.id);
  const [claimed] = await queue.claim(follower.id);
  expect(claimed?.sources?.map(({ id }) => id)).toEqual([holder.id]);
});

test("a shorter retention holds for what is final already", async () => {
  const queue = await OpenedQueue.open();
  const job = queue.job();
  await queue.enqueue(alone(job));
  await queue.run(job.id);
  const retention = { completed: { for: 10, max: 100 }, failed: { for: 10, max: 100 } };
  await queue.storage.open({ queue: "main", retention, now: queue.now });
  queue.now += 11;
  expect(await queue.storage.purge({ queue: "main", limit: 10, now: queue.now })).toEqual({
    removed: 1,
    more: false,
  });
});

test("a page goes on where the one before ended, though that job was purged between", async () => {
  const retention = { completed: { for: 0, max: 100 }, failed: { for: 0, max: 100 } };
  const queue = await OpenedQueue.open(retention);
  const jobs = Array.from({ length: 200 }, () => queue.job());
  await queue.enqueue(...jobs.map(alone));
  const { records, after } = await queue.storage.list({ queue: "main", limit: 100, now: queue.now });
  expect(records.map(({ id }) => id)).toEqual(jobs.slice(0, 100).map(({ id }) => id));
  await queue.run(jobs[99]!.id);
  for (const { id } of jobs.slice(0, 99)) await queue.run(id);
  expect(await queue.states(jobs[99]!.id)).toEqual([undefined]);
  const next = await queue.storage.list({ queue: "main", limit: 100, after, now: queue.now });
  expect(next.records.map(({ id }) => id)).toEqual(jobs.slice(100).map(({ id }) => id));
  expect(next.after).toBeUndefined();
});

test("a job that is not asked for ends with an effect of its own", async () => {
  const queue = await OpenedQueue.open();
  const [once, revoked] = [queue.job({ delivery: "at-most-once" }), queue.job()];
  await queue.enqueue(alone(once), alone(revoked));
  const { effects } = await queue.run(once.id, { kind: "interrupted" });
  expect(kinds(effects)).toEqual([[once.id, "failed", "interrupted"]]);
  const [run] = await queue.claim(revoked.id);
  await queue.amend(revoked.id, { kind: "revoke", scope: "later" });
  const answer = await queue.settle(run!, { kind: "released" });
  expect(kinds(answer.effects)).toEqual([[revoked.id, "cancelled", "revoked"]]);
  expect((await queue.record(revoked.id)).attempt).toBe(0);
});
