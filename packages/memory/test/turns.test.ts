/** What a queue in memory does at once, many times over: timers and sockets have their turn between. */
import { createQueue, task } from "@taskq/core";
import { expect, test, vi } from "vitest";
import { memoryStorage } from "../src/index.ts";

const MANY = 20_000;

/** Turns of the event loop while something is done. */
async function turnsWhile(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return turns;
}

test("calls that are awaited one after the other", async () => {
  const one = task("one", async (input: number) => input);
  const queue = createQueue({ storage: memoryStorage(), tasks: { one } });
  const fired = new AbortController();
  setTimeout(() => fired.abort(), 5);
  for (let stored = 0; !fired.signal.aborted && stored < MANY * 5; stored += 1)
    await queue.enqueue(one.job(stored));
  expect(fired.signal.aborted).toBe(true);
  const reads = await turnsWhile(async () => {
    for (let read = 0; read < MANY; read += 1) await queue.values.get("none");
  });
  expect(reads).toBeGreaterThan(1);
  await queue.close();
});

test("timers that a test has put in place of the real ones do not hold calls up", async () => {
  const one = task("one", async (input: number) => input);
  const queue = createQueue({ storage: memoryStorage(), tasks: { one } });
  vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "setInterval"] });
  try {
    for (let stored = 0; stored < MANY; stored += 1) await queue.enqueue(one.job(stored));
  } finally {
    vi.useRealTimers();
  }
  expect((await queue.counts()).ready).toBe(MANY);
  await queue.close();
});

test("storing, listing and flushing many jobs", async () => {
  const one = task("one", async (input: number) => input);
  const queue = createQueue({ storage: memoryStorage(), tasks: { one } });
  const jobs = Array.from({ length: MANY }, (_, number) => one.job(number));
  expect(await turnsWhile(() => queue.enqueueMany(jobs))).toBeGreaterThan(1);
  const list = async (): Promise<void> => {
    for await (const { id } of queue.jobs()) expect(id).toBeDefined();
  };
  expect(await turnsWhile(list)).toBeGreaterThan(1);
  expect(await turnsWhile(() => queue.flush({ confirm: queue.name }))).toBeGreaterThan(1);
  await queue.close();
});
