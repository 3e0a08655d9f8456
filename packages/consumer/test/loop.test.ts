import { virtualClock } from "@taskq/core/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { Loop, type Rest } from "../src/loop.js";
import { sleep, until } from "./support.js";

function started(tick: () => Promise<Rest>, failed: (error: unknown) => void = () => {}): Loop {
  const loop = new Loop(tick, virtualClock(), failed);
  loop.start();
  onTestFinished(() => loop.stop());
  return loop;
}

test("a tick is repeated after the time it asks for", async () => {
  const at: number[] = [];
  started(async () => {
    at.push(performance.now());
    return { most: 20 };
  });
  await until(() => at.length === 4);
  expect((at[3] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(59);
});

test("ticks do not overlap, and a wake meanwhile makes for one more", async () => {
  let [running, most, count] = [0, 0, 0];
  const loop = started(async () => {
    running += 1;
    most = Math.max(most, running);
    count += 1;
    await sleep(10);
    running -= 1;
    return { most: Infinity };
  });
  await until(() => count === 1);
  loop.wake();
  loop.wake();
  loop.wake();
  await sleep(60);
  expect([most, count]).toEqual([1, 2]);
});

test("a wake ends a rest at once, and a later wake-up does not lengthen it", async () => {
  let count = 0;
  const loop = started(async () => {
    count += 1;
    return { most: count === 1 ? 60_000 : Infinity };
  });
  await until(() => count === 1);
  loop.wakeWithin(120_000);
  loop.wakeWithin(10);
  await sleep(200);
  expect(count).toBe(2);
});

test("a rest ends at its instant of the queue's clock", async () => {
  const clock = virtualClock();
  const start = clock.now();
  const tick = vi.fn<() => Promise<Rest>>(async () => {
    return clock.now() < start + 3_600_000 ? { at: start + 3_600_000, most: 60_000 } : { most: Infinity };
  });
  const loop = new Loop(tick, clock, () => {});
  loop.start();
  await until(() => tick.mock.calls.length === 1);
  await clock.advance("59m");
  expect(tick).toHaveBeenCalledTimes(1);
  await clock.advance("1m");
  await until(() => tick.mock.calls.length === 2);
  await loop.stop();
});

test("a stop waits for the tick under way, and none comes after it", async () => {
  let [began, ended] = [0, 0];
  const loop = started(async () => {
    began += 1;
    await sleep(20);
    ended += 1;
    return { most: 0 };
  });
  await until(() => began === 1);
  await loop.stop();
  expect([began, ended]).toEqual([1, 1]);
  loop.wake();
  await sleep(10);
  expect(began).toBe(1);
});

test("what a tick rejects with is told, and ends the loop", async () => {
  const failed = vi.fn<(error: unknown) => void>();
  const error = new Error("broken");
  let count = 0;
  const loop = started(async () => {
    count += 1;
    throw error;
  }, failed);
  await until(() => failed.mock.calls.length === 1);
  expect(failed).toHaveBeenCalledWith(error);
  loop.wake();
  await sleep(10);
  expect(count).toBe(1);
});
