import type { NewFlow, TickAnswer } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { alone, behind, OpenedQueue } from "./opened-queue.ts";

const NAME = "nightly";

async function scheduled(): Promise<OpenedQueue> {
  const queue = await OpenedQueue.open();
  const schedule = { name: NAME, origin: "task", task: "work", bytes: new Uint8Array() } as const;
  const change = { kind: "declare", ...schedule } as const;
  await queue.storage.schedules({ queue: "main", change, now: queue.now - 10 });
  return queue;
}

function tick(queue: OpenedQueue, flows: readonly NewFlow[]): Promise<TickAnswer> {
  return queue.storage.tick({
    queue: "main",
    name: NAME,
    previous: queue.now - 10,
    at: queue.now,
    overlap: "queue",
    flows,
    now: queue.now,
  });
}

test("a tick for several instants lets one flow run, and each other wait for the one before", async () => {
  const queue = await scheduled();
  const jobs = [queue.job(), queue.job(), queue.job()];
  const answer = await tick(queue, jobs.map(alone));
  const states = () => queue.states(...jobs.map(({ id }) => id));
  expect([answer.status, answer.flows.length]).toEqual(["applied", 3]);
  expect(await states()).toEqual(["ready", "parked", "parked"]);
  await queue.run(jobs[0]!.id);
  expect(await states()).toEqual(["completed", "ready", "parked"]);
  await queue.run(jobs[1]!.id);
  expect(await states()).toEqual(["completed", "completed", "ready"]);
});

test("a flow that waits for its turn replaces nothing before", async () => {
  const queue = await scheduled();
  const unique = { key: "report", until: "final", onConflict: "replace" } as const;
  const [first, second] = [queue.job({ unique }), queue.job({ unique })];
  await tick(queue, [alone(first), alone(second)]);
  expect(await queue.states(first.id, second.id)).toEqual(["ready", "parked"]);
  await queue.run(first.id);
  expect(await queue.states(first.id, second.id)).toEqual(["completed", "ready"]);
});

test("a flow that waits for its turn leaves its unique key to the flow before", async () => {
  const queue = await scheduled();
  const unique = { key: "report", until: "started", onConflict: "ignore" } as const;
  const [first, last, waiting] = [queue.job(), queue.job({ unique }), queue.job({ unique })];
  const flow = { end: last.id, jobs: [first, behind(last, first.id)], joins: [] };
  await tick(queue, [flow, alone(waiting)]);
  await queue.run(first.id);
  expect(await queue.states(last.id, waiting.id)).toEqual(["ready", "parked"]);
  await queue.run(last.id);
  expect(await queue.states(last.id, waiting.id)).toEqual(["completed", "ready"]);
});
