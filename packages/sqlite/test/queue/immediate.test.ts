// What immediate mode runs by itself, when a call has ended, and what advance reaches.
import { every, group, periodic, task, type Queue, type Result, type Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { advance, virtualClock } from "@taskq/core/testing";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const START = Date.UTC(2000, 0, 1);
const MINUTE = 60_000;

const napping = task("napping", async (milliseconds: number) => {
  await sleep(milliseconds);
  return milliseconds;
});

describe.each(storages)("advance on $name", ({ make }) => {
  test("a schedule that a handler makes on the way fires at each of its instants", async () => {
    const minutes: number[] = [];
    const clock = virtualClock(new Date(START));
    const beat = task("beat", async () => void minutes.push((clock.now() - START) / MINUTE));
    const plan = task("plan", async () => {
      await queue.schedules.upsert("beats", { schedule: every("1m"), job: beat.job() });
    });
    const queue: Queue<"beat" | "plan"> = immediateQueue(make(), { beat, plan }, { clock });
    await queue.enqueue(plan.job(), { delay: "10s" });
    await advance(queue, "5m");
    expect(minutes).toEqual([1, 2, 3, 4, 5]);
  });

  test("a schedule that a handler resumes on the way fires from then on", async () => {
    const minutes: number[] = [];
    const clock = virtualClock(new Date(START));
    const beat = periodic("beat", every("1m"), async () => void minutes.push((clock.now() - START) / MINUTE));
    const wake = task("wake", async () => void (await queue.schedules.resume("beat")));
    const queue: Queue<"beat" | "wake"> = immediateQueue(make(), { beat, wake }, { clock });
    await queue.schedules.pause("beat");
    await queue.enqueue(wake.job(), { delay: "90s" });
    await advance(queue, "5m");
    expect(minutes).toEqual([2, 3, 4, 5]);
  });

  test("what a handler of one queue enqueues to another one runs at its instant", async () => {
    const minutes: number[] = [];
    const clock = virtualClock(new Date(START));
    const first = task("first", async () => void minutes.push((clock.now() - START) / MINUTE));
    const second = task("second", async () => void (await one.enqueue(first.job(), { delay: "1m" })));
    const storage = make();
    const one: Queue<"first"> = immediateQueue(storage, { first }, { name: "one", clock });
    const two = immediateQueue(storage, { second }, { name: "two", clock });
    await two.enqueue(second.job(), { delay: "1m" });
    await advance([one, two], "10m");
    expect(minutes).toEqual([2]);
  });

  test("calls at the same time have their turns, each with its stretch", async () => {
    const minutes: number[] = [];
    const clock = virtualClock(new Date(START));
    const beat = periodic("beat", every("1m"), async () => void minutes.push((clock.now() - START) / MINUTE));
    const note = task("note", async () => void minutes.push((clock.now() - START) / MINUTE));
    const storage = make();
    const one = immediateQueue(storage, { beat }, { name: "one", clock });
    const two = immediateQueue(storage, { note }, { name: "two", clock });
    await two.enqueue(note.job(), { delay: "4.5m" });
    await Promise.all([advance(one, "2m"), advance([two, one], "3m"), advance(one, "1m")]);
    expect(minutes).toEqual([1, 2, 3, 4, 4.5, 5, 6]);
    expect(clock.now() - START).toBe(6 * MINUTE);
  });

  test("a call that a handler makes runs within the one that waits for the handler", async () => {
    const clock = virtualClock(new Date(START));
    const long = task("long", async () => {
      await advance(queue, "10m");
      return clock.now() - START;
    });
    const queue: Queue<"long"> = immediateQueue(make(), { long }, { clock });
    const result = await queue.enqueue(long.job(), { delay: "1m" });
    await advance(queue, "5m");
    expect(await result.wait()).toBe(11 * MINUTE);
  });

  test("a call has its turn also if the one before it fails", async () => {
    const clock = virtualClock(new Date(START));
    const queue = immediateQueue(make(), {}, { clock });
    const failing = { ...clock, advance: () => Promise.reject(new Error("stuck")) };
    const stuck = immediateQueue(make(), {}, { clock: failing });
    const calls = [advance([stuck, queue], "1m"), advance(queue, "1m")];
    const [first, second] = await Promise.allSettled(calls);
    expect([first?.status, second?.status]).toEqual(["rejected", "fulfilled"]);
    expect(clock.now() - START).toBe(MINUTE);
  });

  test("queues with clocks of their own are each moved so far, and no further", async () => {
    const late = virtualClock(new Date(START));
    const early = virtualClock(new Date(START - 60 * MINUTE));
    const ran: number[] = [];
    const note = task("note", async (n: number) => void ran.push(n, early.now() - START));
    const one = immediateQueue(make(), { note }, { name: "one", clock: early });
    const two = immediateQueue(make(), { note }, { name: "two", clock: late });
    await one.enqueue(note.job(1), { delay: "90m" });
    await two.enqueue(note.job(2), { delay: "30m" });
    await advance([one, two], "1h");
    expect([early.now() - START, late.now() - START]).toEqual([0, 60 * MINUTE]);
    // What is due between the ends of both is not reached in the first.
    expect(ran).toEqual([2, 0]);
    await advance([one, two], "1h");
    expect(ran).toEqual([2, 0, 1, 30 * MINUTE]);
  });
});

describe.each(storages)("what runs by itself in immediate mode on $name", ({ make }) => {
  const synced = task("synced", { lock: "sync" }, async () => "synced");
  const name = task("name", async () => "reports");
  const exported = task("exported", { unique: { key: (what: string) => what } }, async () => "exported");

  test("a lock that is released lets the job run that waited for it, and is free behind it", async () => {
    const queue = immediateQueue(make(), { synced });
    const held = await queue.lock("sync").acquire();
    const waiting = await queue.enqueue(synced.job());
    expect(await waiting.state()).toBe("parked");
    await held[Symbol.asyncDispose]();
    expect(await waiting.peek()).toMatchObject({ state: "completed", value: "synced" });
    await using _next = await queue.lock("sync", { timeout: 1_000 }).acquire();
  });

  test("a lock that is taken away lets the job run that waited for it", async () => {
    const queue = immediateQueue(make(), { synced });
    await using _held = await queue.lock("sync").acquire();
    const waiting = await queue.enqueue(synced.job());
    expect(await queue.locks.release("sync")).toBe(true);
    expect(await waiting.state()).toBe("completed");
  });

  test("whoever gives up waiting for a lock lets the job run that stood behind", async () => {
    const queue = immediateQueue(make(), { synced });
    const held = await queue.lock("sync").acquire();
    const giving = new AbortController();
    const asked = queue.lock("sync", { signal: giving.signal }).acquire();
    await sleep(20);
    const waiting = await queue.enqueue(synced.job());
    const released = held[Symbol.asyncDispose]();
    giving.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
    await released;
    expect(await waiting.state()).toBe("completed");
  });

  test("a job that is revoked or flushed lets the stage run that waited for its unique key", async () => {
    const queue = immediateQueue(make(), { name, exported });
    const remove = {
      revoked: (id: string) => queue.result(id).revoke(),
      flushed: () => queue.flush({ confirm: "default", state: "scheduled" }),
    };
    for (const how of ["revoked", "flushed"] as const) {
      const holder = await queue.enqueue(exported.job("reports"), { delay: "1h" });
      const flow = await queue.enqueue(name.job().pipe(exported));
      expect(await flow.state()).toBe("parked");
      await remove[how](holder.id);
      expect([how, await flow.state()]).toEqual([how, "completed"]);
    }
  });
});

describe.each(storages)("calls at the same time in immediate mode on $name", ({ make }) => {
  test("enqueue resolves once all of its flow has ended, whichever call runs it", async () => {
    const queue = immediateQueue(make(), { napping });
    const both = await Promise.all([
      queue.enqueue(group([napping.job(1), napping.job(60)])).then((result) => result.state()),
      queue.enqueue(napping.job(5)).then((result) => result.state()),
    ]);
    expect(both).toEqual(["completed", "completed"]);
  });

  test("enqueue waits for what joined its flow, too", async () => {
    const wide = task("wide", async (_: void, { enqueue }) => {
      for (const nap of [5, 60]) await enqueue(napping.job(nap), { join: true });
      return "wide";
    });
    const last = task("last", async (before: string) => `${before}, last`);
    const queue = immediateQueue(make(), { napping, wide, last });
    const [flow] = await Promise.all([
      queue.enqueue(wide.job().pipe(last)).then((result) => result.state()),
      queue.enqueue(napping.job(20)),
    ]);
    expect(flow).toBe("completed");
  });

  test("handlers that enqueue at the same time do not wait for each other", async () => {
    const parent = task("parent", async (nap: number, { enqueue }) => {
      const result = await enqueue(group([napping.job(nap), napping.job(nap + 20)]));
      return result.state();
    });
    const queue = immediateQueue(make(), { napping, parent });
    const results = await Promise.all([1, 10, 5].map((nap) => queue.enqueue(parent.job(nap))));
    expect(await Promise.all(results.map((result) => result.wait()))).toEqual(Array(3).fill("completed"));
  });

  test("a handler that enqueues its own job again does not wait for itself", async () => {
    const again = task("again", async (_: void, { id, enqueue }): Promise<boolean> => {
      const result: Result = await enqueue(again.job(), { id });
      return result.existing;
    });
    const queue = immediateQueue(make(), { again });
    expect(await (await queue.enqueue(again.job(), { id: "one" })).wait()).toBe(true);
  });

  test("a storage is asked for one step at a time, in the order of their numbers", async () => {
    const asked: number[] = [];
    let most = 0;
    let underWay = 0;
    const storage = make() as unknown as StorageContract;
    const step = storage.step.bind(storage);
    storage.step = async (request) => {
      asked.push(request.request);
      most = Math.max(most, (underWay += 1));
      try {
        return await step(request);
      } finally {
        underWay -= 1;
      }
    };
    const queue = immediateQueue(storage as unknown as Storage, { napping });
    await Promise.all(Array.from({ length: 20 }, () => queue.enqueue(napping.job(1))));
    expect(most).toBe(1);
    expect(asked).toEqual(asked.toSorted((one, other) => one - other));
  });

  test("enqueue does not wait for the jobs of another call", async () => {
    const ending = new AbortController();
    const long = task("long", async () => void (await once(ending.signal, "abort")));
    const queue = immediateQueue(make(), { long, napping });
    const running = queue.enqueue(long.job());
    await sleep(5);
    expect(await (await queue.enqueue(napping.job(1))).wait()).toBe(1);
    ending.abort();
    await running;
  });

  test("a revoke aborts the signal of the handler that another call runs", async () => {
    const begun = new EventTarget();
    const begins = once(begun, "begun");
    const waiting = task("waiting", async (_: void, { signal }) => {
      begun.dispatchEvent(new Event("begun"));
      await once(signal, "abort");
      throw signal.reason;
    });
    const queue = immediateQueue(make(), { waiting });
    const enqueued = queue.enqueue(waiting.job(), { id: "one" });
    await begins;
    expect(await queue.result("one").revoke()).toBe(true);
    const result = await enqueued;
    expect(await result.peek()).toEqual({ state: "cancelled", reason: "revoked" });
  });

  test("a queue that closes while a handler runs refuses its end, and nothing else comes of it", async () => {
    const queue = immediateQueue(make(), { napping });
    const closed = sleep(5).then(() => queue.close());
    await expect(queue.enqueue(napping.job(80))).rejects.toMatchObject({ code: "TASKQ_CLOSED" });
    await closed;
  });

  test("a run that joins an id which another task takes meanwhile fails, and is retried", async () => {
    const report = task("report", async () => "report");
    const other = task("other", async () => "other");
    const late = task("late", { retries: 1 }, async (_input: void, { enqueue, attempt }) => {
      await enqueue(report.job(), { id: `late ${attempt}`, join: true });
      if (attempt === 1) await queue.enqueue(other.job(), { id: "late 1" });
      return attempt;
    });
    const queue: Queue<"report" | "other" | "late"> = immediateQueue(make(), { report, other, late });
    const retried: unknown[] = [];
    queue.on("retrying", ({ error }) => void retried.push(error.code));
    expect(await (await queue.enqueue(late.job())).wait()).toBe(2);
    expect(retried).toEqual(["TASKQ_ID_TAKEN"]);
    expect(await queue.result("late 2").wait()).toBe("report");
  });
});
