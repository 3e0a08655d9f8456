/** What a queue has done goes along: starts under limits, and statistics. */
import {
  cancelMove,
  createQueue,
  moveQueue,
  task,
  type MoveProgress,
  type Queue,
  type Storage,
} from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { virtualClock } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { afterTest, failure } from "../support.js";
import { pairs } from "./pairs.js";

const NOON = new Date("2026-01-01T12:00:00Z");
const MAX = 3;
const PER = 60_000;

/** Two queues in one virtual time, and when the limited handler began, in milliseconds after noon. */
function limitedPair(makeFrom: () => Storage, makeTo: () => Storage) {
  const clock = virtualClock(NOON);
  const starts: number[] = [];
  const call = task("call", { limit: { key: "api", max: MAX, per: PER } }, async (takes: number) => {
    starts.push(clock.now() - NOON.getTime());
    await clock.advance(takes);
  });
  const queueOn = (storage: Storage) => {
    const queue = createQueue({ storage, tasks: { call }, clock });
    afterTest(() => queue.close());
    return queue;
  };
  return { clock, starts, call, from: queueOn(makeFrom()), to: queueOn(makeTo()) };
}

async function run(queue: Queue): Promise<void> {
  await new InlineRunner(engineOf(queue)).runDue();
}

/** Breaks the move off as the first records go over. */
async function breakOff(from: Queue, to: Queue): Promise<void> {
  const breaker = new AbortController();
  const onProgress = ({ records }: MoveProgress): void => {
    if (records > 0) breaker.abort(new Error("enough"));
  };
  await expect(moveQueue(from, to, { signal: breaker.signal, onProgress })).rejects.toThrow("enough");
}

describe.each(pairs)("what a queue has done, from $name", ({ from: makeFrom, to: makeTo }) => {
  test("a limit used up just before the move starts nothing at the target until its window has passed", async () => {
    const { clock, starts, call, from, to } = limitedPair(makeFrom, makeTo);
    await from.enqueueMany(Array.from({ length: 8 }, () => call.job(1_000)));
    await run(from);
    expect(starts).toEqual([0, 1_000, 2_000]);
    await breakOff(from, to);
    await cancelMove(from, to);
    await run(from);
    await breakOff(from, to);
    await moveQueue(from, to);
    await run(to);
    await expect(to.limit("api", { max: MAX, per: PER, onLimit: "fail" }).acquire()).rejects.toMatchObject({
      code: "TASKQ_LIMITED",
    });
    expect(starts).toHaveLength(3);
    await clock.advance(PER - 3_001);
    await run(to);
    expect(starts).toHaveLength(3);
    for (let second = 0; second < 180; second += 1) {
      await clock.advance(1_000);
      await run(to);
    }
    expect(starts).toHaveLength(8);
    for (const [index, start] of starts.entries()) {
      expect(start - (starts[index - MAX] ?? -PER)).toBeGreaterThanOrEqual(PER);
    }
  });

  test("a start is taken at the source as long as something runs, and from no queue that is still", async () => {
    const { call, from, to } = limitedPair(makeFrom, makeTo);
    await from.enqueue(call.job(0));
    await run(from);
    const limit = from.limit("api", { max: MAX, per: PER, onLimit: "fail" });
    await limit.acquire();
    await moveQueue(from, to);
    expect((await failure(limit.acquire())).code).toBe("TASKQ_MOVED");
    await to.limit("api", { max: MAX, per: PER, onLimit: "fail" }).acquire();
    const used = to.limit("api", { max: MAX, per: PER, onLimit: "fail" }).acquire();
    expect((await failure(used)).code).toBe("TASKQ_LIMITED");
  });

  test("statistics go along, and add up with what the target has counted", async () => {
    const { clock, call, from, to } = limitedPair(makeFrom, makeTo);
    await to.enqueue(call.job(5));
    await run(to);
    await to.flush({ confirm: to.name });
    await from.enqueueMany([1, 2, 3].map((takes) => call.job(takes)));
    await run(from);
    await clock.advance(PER);
    await from.enqueue(call.job(900));
    await run(from);
    const [own, source] = [await to.stats(), await from.stats()];
    expect([own.total.completed, source.total.completed]).toEqual([1, 4]);
    await breakOff(from, to);
    expect((await to.stats()).total).toEqual(own.total);
    await cancelMove(from, to);
    expect((await to.stats()).total).toEqual(own.total);
    expect((await from.stats()).total).toEqual(source.total);
    const { counts } = await moveQueue(from, to);
    expect(counts).toMatchObject({ stats: 2 });
    const both = await to.stats();
    expect(both.total.completed).toBe(5);
    expect(both.total.runMs.max).toBe(900);
    expect(both.minutes.map(({ completed }) => completed)).toEqual([4, 1]);
    await moveQueue(from, to);
    expect(await to.stats()).toEqual(both);
    // On the way back they are what they were, and nothing is counted twice.
    await moveQueue(to, from);
    expect(await from.stats()).toEqual(both);
    await from.enqueue(call.job(1));
    await run(from);
    await clock.advance(1_000);
    await run(from);
    expect((await from.stats()).total.completed).toBe(6);
  });
});
