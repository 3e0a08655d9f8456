/** What runs as its queue moves ends where it is, and who waits for what has moved is told. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  asCompleted,
  cancelMove,
  createQueue,
  group,
  moveQueue,
  task,
  type Queue,
  type Storage,
} from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import { describe, expect, test } from "vitest";
import { sqliteStorage } from "../../src/index.js";
import { afterTest, failure, temporaryFolder } from "../support.js";
import { makeMemory, makeSqlite, pairs } from "./pairs.js";
import { immediateQueue } from "./storages.js";

const one = task("one", async (n: number) => n);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0));

/** A promise that resolves when it is told. */
class Told {
  tell!: () => void;
  readonly promise: Promise<void> = new Promise<void>((resolve) => {
    this.tell = resolve;
  });
}

/** A task whose handler does its work once it is told. */
function heldTask(work: () => Promise<unknown> = async () => "done") {
  const [begun, told] = [new Told(), new Told()];
  const held = task("held", { retries: 0 }, async () => {
    begun.tell();
    await told.promise;
    return work();
  });
  return { held, begun: begun.promise, go: () => told.tell() };
}

function queueOn<const Tasks extends object>(storage: Storage, tasks: Tasks) {
  const queue = createQueue({ storage, tasks });
  afterTest(() => queue.close());
  return queue;
}

function run(queue: Queue): Promise<unknown> {
  return new InlineRunner(engineOf(queue)).runDue();
}

/** Moves, and calls once the source has begun to leave, with the handler still running. */
async function moveWhile(from: Queue, to: Queue, leaving: () => void): Promise<void> {
  let told = false;
  await moveQueue(from, to, {
    onProgress: ({ phase, active }) => {
      if (told || phase !== "draining" || active === 0) return;
      told = true;
      leaving();
    },
  });
  expect(told).toBe(true);
}

async function ends(queue: Queue, id: string): Promise<readonly unknown[]> {
  const job = await queue.job(id);
  return [job?.state, job?.attempt, job?.failures];
}

describe.each(pairs)("running while the queue moves from $name", ({ from: makeFrom, to: makeTo }) => {
  test("a handler enqueues at its own queue, once, and what it enqueued runs at the target", async () => {
    const ids: string[] = [];
    const { held, begun, go } = heldTask(async () => {
      const own = [
        await from.enqueue(one.job(1)),
        await from.enqueue(one.job(2), { id: "given", delay: 1 }),
        await from.enqueue(group([one.job(3), one.job(4)]).pipe(sum)),
        ...(await from.enqueueMany([one.job(5), one.job(6)])),
      ];
      ids.push(...own.map(({ id }) => id));
      expect((await from.enqueue(one.job(2), { id: "given" })).existing).toBe(true);
      await from.pause(sum);
    });
    const tasks = { one, sum, held };
    const [from, to] = [queueOn(makeFrom(), tasks), queueOn(makeTo(), tasks)];
    const result = await from.enqueue(held.job());
    const running = failure(run(from));
    await begun;
    await moveWhile(from, to, go);
    expect((await running).code).toBe("TASKQ_MOVED");
    expect(await ends(to, result.id)).toEqual(["completed", 1, 0]);
    expect(await result.wait()).toBeUndefined();
    expect((await failure(from.enqueue(one.job(7)))).code).toBe("TASKQ_MOVED");
    expect((await failure(from.resume(sum))).code).toBe("TASKQ_MOVED");
    await new Promise((resolve) => setTimeout(resolve, 5));
    await run(to);
    expect((await to.counts()).parked).toBe(1);
    await to.resume(sum);
    await run(to);
    const values = await Promise.all(ids.map((id) => to.result(id).wait()));
    expect(values).toEqual([1, 2, 7, 5, 6]);
    expect((await to.counts()).completed).toBe(8);
  });

  test("the target takes nothing while the source still ends what runs", async () => {
    const { held, begun, go } = heldTask();
    const [from, to] = [queueOn(makeFrom(), { one, held }), queueOn(makeTo(), { one, held })];
    await from.enqueue(held.job());
    const running = failure(run(from));
    await begun;
    let early: Promise<{ readonly code: string }> | undefined;
    await moveWhile(from, to, () => {
      early = failure(to.enqueue(one.job(1))).finally(go);
    });
    expect((await early)?.code).toBe("TASKQ_MOVED");
    await running;
    expect(await to.counts()).toMatchObject({ completed: 1, ready: 0 });
  });

  test("a handler may not move its own queue, which would wait for it", async () => {
    let refused: { readonly code: string; readonly message: string } | undefined;
    const mover = task("mover", async () => {
      refused = await failure(moveQueue(from, to));
    });
    const [from, to] = [queueOn(makeFrom(), { mover }), queueOn(makeTo(), { mover })];
    const { id } = await from.enqueue(mover.job());
    await run(from);
    expect(refused?.code).toBe("TASKQ_WAIT_IN_HANDLER");
    expect(refused?.message).toBe(
      `the handler of job ${id} moves its own queue, which waits until that job has ended: call it from elsewhere`,
    );
    expect((await from.counts()).completed).toBe(1);
    await moveQueue(from, to);
  });

  test("a handler of a run that was taken away enqueues nothing", async () => {
    let refused: unknown;
    const { held, begun, go } = heldTask(async () => {
      refused = await failure(from.enqueue(one.job(1)));
    });
    const tasks = { one, sum, held };
    const [from, to] = [queueOn(makeFrom(), tasks), queueOn(makeTo(), tasks)];
    const result = await from.enqueue(held.job());
    const running = failure(run(from));
    await begun;
    const { storage } = engineOf(from);
    const later = Date.now() + 3_600_000;
    const { nextAt } = await storage.reap({ queue: from.name, limit: 10, now: later });
    await storage.reap({ queue: from.name, limit: 10, now: nextAt });
    await moveQueue(from, to);
    go();
    await running;
    expect(refused).toMatchObject({ code: "TASKQ_MOVED" });
    expect(await to.job(result.id)).toMatchObject({ crashes: 1 });
    expect((await to.counts()).completed).toBe(0);
  });

  test("who waits at the source is told as soon as the queue has left, and not before", async () => {
    const tasks = { one, sum };
    const [from, to] = [queueOn(makeFrom(), tasks), queueOn(makeTo(), tasks)];
    const done = await from.enqueue(one.job(1));
    await run(from);
    const [first, second] = [await from.enqueue(one.job(2)), await from.enqueue(one.job(3))];
    const waits = first.wait({ timeout: "30s" });
    const stop = new AbortController();
    const onProgress = (): void => stop.abort(new Error("enough"));
    await expect(moveQueue(from, to, { signal: stop.signal, onProgress })).rejects.toThrow("enough");
    await cancelMove(from, to);
    await run(from);
    expect(await waits).toBe(2);
    const third = await from.enqueue(one.job(4));
    const waiting = failure(third.wait({ timeout: "30s" }));
    const all = failure(
      (async () => {
        for await (const _ of asCompleted([second, third], { timeout: "30s" }));
      })(),
    );
    await moveQueue(from, to);
    const error = await waiting;
    expect(error.code).toBe("TASKQ_MOVED");
    expect(error.message).toBe(
      `the queue "default" has moved to another storage, and the job ${third.id} with it: ` +
        "wait for it there, by result(id) of a queue on that storage",
    );
    expect((await all).code).toBe("TASKQ_MOVED");
    expect((await failure(from.result(third.id).wait({ timeout: "30s" }))).code).toBe("TASKQ_MOVED");
    expect(await done.wait()).toBe(1);
    await run(to);
    expect(await to.result(third.id).wait()).toBe(4);
  });
});

test("who waits in another process is told that the queue has left", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const [from, to] = [queueOn(sqliteStorage({ path }), { one }), queueOn(makeSqlite(), { one })];
  const { id } = await from.enqueue(one.job(1));
  const program = fileURLToPath(new URL("../wait-when-told.js", import.meta.url));
  const child = fork(program, [JSON.stringify({ path, id })], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  afterTest(() => void child.kill("SIGKILL"));
  expect(await once(child, "message")).toEqual([{ state: "ready" }, undefined]);
  const told = once(child, "message");
  await moveQueue(from, to);
  expect(await told).toEqual([{ code: "TASKQ_MOVED" }, undefined]);
});

test("a transaction within a handler enqueues at a queue that leaves", async () => {
  const storage = sqliteStorage({ path: join(temporaryFolder(), "jobs.db") });
  const { held, begun, go } = heldTask(async () => {
    await storage.transaction((tx) => void tx.enqueue(from, one.job(1)));
  });
  const tasks = { one, held };
  const [from, to] = [queueOn(storage, tasks), queueOn(makeMemory(), tasks)];
  const result = await from.enqueue(held.job());
  const running = failure(run(from));
  await begun;
  await moveWhile(from, to, go);
  await running;
  expect(await ends(to, result.id)).toEqual(["completed", 1, 0]);
  const outside = storage.transaction((tx) => void tx.enqueue(from, one.job(2)));
  expect((await failure(outside)).code).toBe("TASKQ_MOVED");
  await run(to);
  expect((await to.counts()).completed).toBe(2);
});

test("in immediate mode, too, what a handler enqueues goes along", async () => {
  const { held, begun, go } = heldTask(async () => {
    await from.enqueue(one.job(1));
  });
  const tasks = { one, held };
  const from = immediateQueue(makeMemory(), tasks);
  const to = immediateQueue(makeMemory(), tasks);
  const enqueued = from.enqueue(held.job());
  await begun;
  await moveWhile(from, to, go);
  expect(await ends(to, (await enqueued).id)).toEqual(["completed", 1, 0]);
  expect(await to.counts()).toMatchObject({ completed: 1, ready: 1 });
});
