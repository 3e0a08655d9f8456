import { expect, test } from "vitest";
import { alone, behind, FAILED, group, OpenedQueue } from "./opened-queue.ts";

test("a retry by hand takes up the members that were given up", async () => {
  const queue = await OpenedQueue.open();
  const [failing, other] = [queue.job(), queue.job()];
  const flow = group(queue, [failing, other], [failing.id, other.id]);
  await queue.enqueue(flow);
  await queue.run(failing.id, FAILED);
  expect((await queue.amend(failing.id, { kind: "retry" })).changed).toEqual([failing.id]);
  expect(await queue.states(failing.id, other.id, flow.end)).toEqual(["ready", "ready", "blocked"]);
  await queue.run(other.id);
  await queue.run(failing.id);
  expect(await queue.states(flow.end)).toEqual(["completed"]);
});

test("a group whose other member failed meanwhile fails again at once when the first is retried", async () => {
  const queue = await OpenedQueue.open();
  const [first, second] = [queue.job(), queue.job()];
  const flow = group(queue, [first, second], [first.id, second.id]);
  await queue.enqueue(flow);
  const [run] = await queue.claim(second.id);
  await queue.run(first.id, FAILED);
  await queue.settle(run!, FAILED);
  await queue.amend(first.id, { kind: "retry" });
  const [join] = await queue.storage.read({ queue: "main", ids: [flow.end], now: queue.now });
  expect(join).toMatchObject({ state: "failed", cause: second.id });
  expect(await queue.states(first.id)).toEqual(["skipped"]);
});

test("a job is not retried together with what followed its failure and has run", async () => {
  const queue = await OpenedQueue.open();
  const [first, second, handler] = [queue.job(), queue.job(), queue.job()];
  const jobs = [first, behind(second, first.id), behind(handler, second.id, "failed")];
  await queue.enqueue({ end: second.id, jobs, joins: [] });
  await queue.run(first.id, FAILED);
  await queue.run(handler.id, FAILED);
  const ids = [handler.id, first.id];
  const retry = { queue: "main", ids, change: { kind: "retry" }, now: queue.now } as const;
  await expect(queue.storage.amend(retry)).rejects.toMatchObject({ code: "TASKQ_FLOW_FINISHED" });
  expect(await queue.states(first.id, second.id, handler.id)).toEqual(["failed", "skipped", "failed"]);
  expect((await queue.amend(handler.id, { kind: "retry" })).changed).toEqual([handler.id]);
});

test("a revoked stage is not restored once its group is final", async () => {
  const queue = await OpenedQueue.open();
  const [first, second, third] = [queue.job(), queue.job(), queue.job()];
  const stages = [first, behind(second, first.id), behind(third, second.id)];
  const flow = group(queue, stages, [third.id]);
  await queue.enqueue(flow);
  await queue.claim(first.id);
  await queue.amend(first.id, { kind: "revoke", scope: "flow" });
  expect(await queue.states(first.id, second.id, flow.end)).toEqual(["active", "cancelled", "skipped"]);
  await queue.enqueue(alone(behind(queue.job({ due: queue.now + 50 }), second.id, "settled")));
  const restored = queue.amend(second.id, { kind: "restore", scope: "later" });
  await expect(restored).rejects.toMatchObject({ code: "TASKQ_NOT_RESTORABLE" });
});

test("a revoked flow is restored whole", async () => {
  const queue = await OpenedQueue.open();
  const [first, second] = [queue.job(), queue.job()];
  await queue.enqueue({ end: second.id, jobs: [first, behind(second, first.id)], joins: [] });
  await queue.amend(second.id, { kind: "revoke", scope: "flow" });
  expect(await queue.states(first.id, second.id)).toEqual(["cancelled", "cancelled"]);
  await queue.amend(second.id, { kind: "restore", scope: "flow" });
  expect(await queue.states(first.id, second.id)).toEqual(["ready", "blocked"]);
  await queue.run(first.id);
  await queue.run(second.id);
  expect(await queue.states(second.id)).toEqual(["completed"]);
});

test("a pipe of 20,000 stages is restored and retried", async () => {
  const queue = await OpenedQueue.open();
  const first = queue.job();
  const stages = [first];
  while (stages.length < 20_000) stages.push(behind(queue.job(), stages.at(-1)!.id));
  const [second, last] = [stages[1]!, stages.at(-1)!];
  await queue.enqueue({ end: last.id, jobs: stages, joins: [] });
  await queue.amend(last.id, { kind: "revoke", scope: "flow" });
  await queue.amend(last.id, { kind: "restore", scope: "flow" });
  await queue.run(first.id, FAILED);
  expect(await queue.states(last.id)).toEqual(["skipped"]);
  await queue.amend(first.id, { kind: "retry" });
  expect(await queue.states(first.id, last.id)).toEqual(["ready", "blocked"]);
  await queue.run(first.id);
  expect(await queue.states(second.id, last.id)).toEqual(["ready", "blocked"]);
});
