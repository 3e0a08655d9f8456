import type { ClaimedJob, SettledOutcome, StepAnswer } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { alone, COMPLETED, FAILED, OpenedQueue } from "./opened-queue.ts";

const AHEAD = { begin: 0, ahead: 1, lease: 30_000 };

/** Claims the only job ahead. */
async function claimAhead(queue: OpenedQueue): Promise<ClaimedJob> {
  const [run] = (await queue.step({ claim: AHEAD })).claimed;
  if (run === undefined) throw new Error("nothing was claimed");
  return run;
}

function endAt(
  queue: OpenedQueue,
  { id, fence }: ClaimedJob,
  startedAt: number,
  outcome: SettledOutcome,
): Promise<StepAnswer> {
  return queue.step({
    begun: [{ id, fence }],
    settled: [{ id, fence, startedAt, outcome, add: undefined }],
  });
}

test("a run claimed ahead that begins and ends within one step started when its settlement says", async () => {
  const queue = await OpenedQueue.open();
  const job = queue.job();
  await queue.enqueue(alone(job));
  const run = await claimAhead(queue);
  queue.now += 20;
  expect((await endAt(queue, run, queue.now - 5, FAILED)).settled).toEqual(["applied"]);
  const { startedAt, finishedAt, detail } = await queue.record(job.id);
  expect([startedAt, finishedAt]).toEqual([queue.now - 5, queue.now]);
  expect(detail?.attempts).toMatchObject([
    { attempt: 1, startedAt: queue.now - 5, endedAt: queue.now, error: new Uint8Array([9]) },
  ]);
});

test("a run claimed ahead has not started until it begins, also where one before it has", async () => {
  const queue = await OpenedQueue.open();
  const job = queue.job();
  await queue.enqueue(alone(job));
  await queue.run(job.id, { kind: "retry", error: undefined, due: queue.now, counts: true });
  expect((await queue.record(job.id)).startedAt).toBe(queue.now);
  const run = await claimAhead(queue);
  expect((await queue.record(job.id)).startedAt).toBeUndefined();
  queue.now += 10;
  await queue.step({ begun: [{ id: run.id, fence: run.fence }] });
  expect((await queue.record(job.id)).startedAt).toBe(queue.now);
});

test("whoever says how a handler ended says that it began", async () => {
  const queue = await OpenedQueue.open();
  await queue.enqueue(alone(queue.job()));
  const run = await claimAhead(queue);
  queue.now += 10;
  await queue.settle(run, FAILED);
  const { startedAt, detail } = await queue.record(run.id);
  expect([startedAt, detail?.attempts.length]).toEqual([queue.now, 1]);
  await queue.enqueue(alone(queue.job()));
  const never = await claimAhead(queue);
  await queue.settle(never, { kind: "expired" });
  const { state, startedAt: none, detail: ended } = await queue.record(never.id);
  expect([state, none, ended?.attempts.length]).toEqual(["expired", undefined, 0]);
});

test("only the last settlement that was accepted is known again", async () => {
  const queue = await OpenedQueue.open();
  const job = queue.job();
  await queue.enqueue(alone(job));
  const retry = { kind: "retry", error: undefined, due: queue.now, counts: true } as const;
  const [first] = await queue.claim(job.id);
  await queue.settle(first!, retry);
  const [second] = await queue.claim(job.id);
  expect((await queue.settle(first!, COMPLETED)).settled).toEqual(["repeated"]);
  await queue.settle(second!, retry);
  expect((await queue.settle(second!, retry)).settled).toEqual(["repeated"]);
  expect((await queue.settle(first!, retry)).settled).toEqual(["lost"]);
  const [third] = await queue.claim(job.id);
  expect((await queue.settle(first!, retry)).settled).toEqual(["lost"]);
  expect((await queue.settle(third!, COMPLETED)).settled).toEqual(["applied"]);
  expect((await queue.settle(second!, COMPLETED)).settled).toEqual(["lost"]);
});

test("a job that waited for its unique key keeps its due", async () => {
  const queue = await OpenedQueue.open();
  const unique = { key: "report", until: "final", onConflict: "replace" } as const;
  const [holder, waiting] = [queue.job({ unique }), queue.job({ unique })];
  await queue.enqueue(alone(holder));
  const [run] = await queue.claim(holder.id);
  await queue.enqueue(alone(waiting));
  const due = queue.now;
  queue.now += 100;
  await queue.settle(run!, COMPLETED);
  const record = await queue.record(waiting.id);
  expect([record.state, record.due]).toEqual(["ready", due]);
});
