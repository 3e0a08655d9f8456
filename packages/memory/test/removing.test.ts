import { expect, test } from "vitest";
import { alone, behind, COMPLETED, FAILED, OpenedQueue } from "./opened-queue.ts";

const SHORT = { completed: { for: 10, max: 100 }, failed: { for: 10, max: 100 } };

async function purge(queue: OpenedQueue): Promise<void> {
  queue.now += 1_000;
  await queue.storage.purge({ queue: "main", limit: 100, now: queue.now });
}

async function count(queue: OpenedQueue): Promise<number> {
  const counts = await queue.storage.counts({ queue: "main" });
  return Object.values(counts["*"] ?? {}).reduce((sum, of) => sum + Math.abs(of), 0);
}

test("an error handler that waits keeps the job that failed and the stages between, and no longer", async () => {
  const queue = await OpenedQueue.open(SHORT);
  const [first, second, third, handler] = [queue.job(), queue.job(), queue.job(), queue.job()];
  const stages = [first, behind(second, first.id), behind(third, second.id)];
  const ids = [...stages, handler].map(({ id }) => id);
  const jobs = [...stages, behind(handler, third.id, "failed")];
  await queue.enqueue({ end: third.id, jobs, joins: [] });
  await queue.run(first.id, FAILED);
  for (const id of ids) expect((await queue.amend(id, { kind: "remove" })).changed).toEqual([]);
  await purge(queue);
  expect(await queue.states(...ids)).toEqual(["failed", "skipped", "skipped", "ready"]);
  const [run] = await queue.claim(handler.id);
  expect(run?.sources).toMatchObject([{ id: first.id, bytes: new Uint8Array([9]) }]);
  await queue.settle(run!, COMPLETED);
  await purge(queue);
  expect(await queue.states(...ids)).toEqual([undefined, undefined, undefined, undefined]);
});

test("a job that was removed does not come back with its neighbours", async () => {
  const queue = await OpenedQueue.open();
  const [first, second] = [queue.job(), queue.job()];
  await queue.enqueue({ end: second.id, jobs: [first, behind(second, first.id)], joins: [] });
  await queue.run(first.id, FAILED);
  expect((await queue.amend(second.id, { kind: "remove" })).changed).toEqual([second.id]);
  expect((await queue.amend(first.id, { kind: "retry" })).changed).toEqual([first.id]);
  expect(await queue.states(first.id, second.id)).toEqual(["ready", undefined]);
  expect((await queue.record(first.id)).detail?.after).toEqual([second.id]);
  await queue.run(first.id);
  expect(await count(queue)).toBe(1);
});

test("a job that was removed is not restored with its flow", async () => {
  const queue = await OpenedQueue.open();
  const [first, second] = [queue.job(), queue.job()];
  await queue.enqueue({ end: second.id, jobs: [first, behind(second, first.id)], joins: [] });
  await queue.amend(first.id, { kind: "revoke", scope: "flow" });
  await queue.amend(second.id, { kind: "remove" });
  expect((await queue.amend(first.id, { kind: "restore", scope: "flow" })).changed).toEqual([first.id]);
  expect(await queue.states(first.id, second.id)).toEqual(["ready", undefined]);
  expect(await count(queue)).toBe(1);
});

test("a flow of which a part was removed that others wait for is not opened again", async () => {
  const queue = await OpenedQueue.open();
  const [first, second, third] = [queue.job(), queue.job(), queue.job()];
  const jobs = [first, behind(second, first.id), behind(third, second.id)];
  await queue.enqueue({ end: third.id, jobs, joins: [] });
  await queue.run(first.id, FAILED);
  await queue.amend(second.id, { kind: "remove" });
  const retried = queue.amend(first.id, { kind: "retry" });
  await expect(retried).rejects.toMatchObject({ code: "TASKQ_FLOW_FINISHED" });
  expect(await queue.states(first.id, second.id, third.id)).toEqual(["failed", undefined, "skipped"]);
  expect((await queue.record(third.id)).detail?.before).toEqual([second.id]);

  const [early, middle, late] = [queue.job(), queue.job(), queue.job()];
  const stages = [early, behind(middle, early.id), behind(late, middle.id)];
  await queue.enqueue({ end: late.id, jobs: stages, joins: [] });
  await queue.amend(early.id, { kind: "revoke", scope: "later" });
  await queue.amend(middle.id, { kind: "remove" });
  const restored = queue.amend(early.id, { kind: "restore", scope: "later" });
  await expect(restored).rejects.toMatchObject({ code: "TASKQ_NOT_RESTORABLE" });
});

test("a group is not opened again once the result of a member was removed", async () => {
  const queue = await OpenedQueue.open();
  const [done, failing, sum] = [queue.job(), queue.job(), queue.job()];
  const join = { id: queue.id(), mode: "all", members: [done.id, failing.id] } as const;
  await queue.enqueue({ end: sum.id, jobs: [done, failing, behind(sum, join.id)], joins: [join] });
  await queue.run(done.id);
  await queue.run(failing.id, FAILED);
  expect((await queue.amend(done.id, { kind: "remove" })).changed).toEqual([done.id]);
  const retried = queue.amend(failing.id, { kind: "retry" });
  await expect(retried).rejects.toMatchObject({ code: "TASKQ_FLOW_FINISHED" });
  const [record] = await queue.storage.read({ queue: "main", ids: [join.id] });
  expect(record).toMatchObject({ state: "failed", members: [done.id, failing.id] });
});

test("what follows a group is not retried once the result of a member was removed", async () => {
  const queue = await OpenedQueue.open(SHORT);
  const [done, kept, sum] = [queue.job(), queue.job(), queue.job()];
  const join = { id: queue.id(), mode: "all", members: [done.id, kept.id] } as const;
  await queue.enqueue({ end: sum.id, jobs: [done, kept, behind(sum, join.id)], joins: [join] });
  for (const id of [done.id, kept.id]) await queue.run(id);
  await queue.run(sum.id, FAILED);
  await queue.amend(done.id, { kind: "remove" });
  const retried = queue.amend(sum.id, { kind: "retry" });
  await expect(retried).rejects.toMatchObject({ code: "TASKQ_FLOW_FINISHED" });
});

test("what follows a group later does not read members that were removed", async () => {
  const queue = await OpenedQueue.open();
  const [gone, kept] = [queue.job(), queue.job()];
  const join = { id: queue.id(), mode: "all", members: [gone.id, kept.id] } as const;
  await queue.enqueue({ end: join.id, jobs: [gone, kept], joins: [join] });
  for (const { id } of [gone, kept]) await queue.run(id);
  await queue.amend(gone.id, { kind: "remove" });
  const later = behind(queue.job(), join.id);
  await queue.enqueue(alone(later));
  const [run] = await queue.claim(later.id);
  expect(run?.sources).toMatchObject([{ id: join.id, members: [{ id: kept.id }] }]);
});

test("what a flush has removed so far does not follow what it has not", async () => {
  const queue = await OpenedQueue.open();
  const first = queue.job();
  const later = behind(queue.job(), first.id);
  await queue.enqueue({ end: later.id, jobs: [later, first], joins: [] });
  const [run] = await queue.claim(first.id);
  const { more } = await queue.storage.purge({ queue: "main", limit: 1, everything: true });
  expect([more, ...(await queue.states(later.id, first.id))]).toEqual([true, undefined, "active"]);
  expect((await queue.settle(run!, COMPLETED)).settled).toEqual(["applied"]);
  expect((await queue.step({ claim: { begin: 5, ahead: 0, lease: 30_000 } })).claimed).toEqual([]);
  expect(await count(queue)).toBe(1);
});

test("what need not be kept is removed as fast as jobs end, however many a step settles", async () => {
  const queue = await OpenedQueue.open({
    completed: { for: 10, max: 1_000 },
    failed: { for: 1e11, max: 50 },
  });
  for (let round = 0; round < 5; round += 1) {
    const jobs = Array.from({ length: 500 }, () => queue.job());
    await queue.enqueue(...jobs.map(alone));
    const claimed = await queue.claim(...jobs.map(({ id }) => id));
    queue.now += 10;
    const outcomes = [COMPLETED, FAILED];
    const settled = claimed.map(({ id, fence }, place) => ({
      id,
      fence,
      startedAt: queue.now,
      outcome: outcomes[place % 2] ?? COMPLETED,
      add: undefined,
    }));
    await queue.step({ settled });
    expect(await count(queue)).toBe(250 + 50);
  }
});
