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
  const [first, second, third] = [queue.job(), queue.job(), queue.job()];
  const jobs = [first, behind(second, first.id), behind(third, second.id)];
  await queue.enqueue({ end: third.id, jobs, joins: [] });
  await queue.run(first.id, FAILED);
  expect((await queue.amend(second.id, { kind: "remove" })).changed).toEqual([second.id]);
  expect((await queue.amend(first.id, { kind: "retry" })).changed).toEqual([first.id]);
  expect(await queue.states(first.id, second.id, third.id)).toEqual(["ready", undefined, "skipped"]);
  expect(await count(queue)).toBe(2);
  expect((await queue.record(first.id)).detail?.after).toEqual([second.id]);
  expect((await queue.record(third.id)).detail?.before).toEqual([second.id]);
  await queue.run(first.id);
  expect(await count(queue)).toBe(2);
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

test("a member that was removed is no source of what follows its group", async () => {
  const queue = await OpenedQueue.open();
  const [done, failing, sum] = [queue.job(), queue.job(), queue.job()];
  const join = { id: queue.id(), mode: "all", members: [done.id, failing.id] } as const;
  await queue.enqueue({ end: sum.id, jobs: [done, failing, behind(sum, join.id)], joins: [join] });
  await queue.run(done.id);
  await queue.run(failing.id, FAILED);
  expect((await queue.amend(done.id, { kind: "remove" })).changed).toEqual([done.id]);
  await queue.amend(failing.id, { kind: "retry" });
  await queue.run(failing.id);
  const [run] = await queue.claim(sum.id);
  expect(run?.sources).toMatchObject([{ id: join.id, members: [{ id: failing.id }] }]);
  const [record] = await queue.storage.read({ queue: "main", ids: [join.id] });
  expect(record).toMatchObject({ state: "completed", members: [done.id, failing.id] });
});

test("what a flush has removed so far does not follow what it has not", async () => {
  const queue = await OpenedQueue.open();
  const [later, first] = [queue.job(), queue.job()];
  await queue.enqueue(alone(first));
  await queue.enqueue(alone(behind(later, first.id)));
  const [run] = await queue.claim(first.id);
  const other = queue.job();
  await queue.enqueue(alone(behind(other, first.id)));
  await queue.storage.purge({ queue: "main", limit: 2, everything: true });
  expect(await queue.states(first.id, later.id, other.id)).toEqual([undefined, undefined, "blocked"]);
  expect((await queue.settle(run!, COMPLETED)).settled).toEqual(["lost"]);
  expect(await count(queue)).toBe(1);
});
