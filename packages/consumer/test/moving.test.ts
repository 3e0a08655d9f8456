import { join } from "node:path";
import { createQueue, moveQueue, task, type Storage } from "@taskq/core";
import type { RunReference, StepAnswer, StepRequest, StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { createConsumer } from "../src/index.js";
import { closing } from "./serving.js";
import { Gate, only, recordEvents, sleep, temporaryFolder, until } from "./support.js";

const storages = [
  ["SQLite to SQLite", "sqlite", "sqlite"],
  ["memory to SQLite", "memory", "sqlite"],
  ["SQLite to memory", "sqlite", "memory"],
] as const;

test.each(storages)(
  "a queue under load moves from %s: its consumer ends what runs and stops, and the rest runs at the target",
  async (_, first, second) => {
    const folder = await temporaryFolder();
    const runs = new Map<string, number>();
    const note = task("note", async (n: number) => n);
    const work = task("work", { retries: 0 }, async (n: number, { id, enqueue }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1);
      await sleep(3);
      await enqueue(note.job(n));
      return n;
    });
    const follow = task("follow", async (n: number) => n + 1);
    const queueOn = (kind: "memory" | "sqlite", name: string) => {
      const storage = kind === "memory" ? memoryStorage() : sqliteStorage({ path: join(folder, name) });
      return closing(createQueue({ storage, tasks: { work, follow, note } }));
    };
    const [from, to] = [queueOn(first, "from.db"), queueOn(second, "to.db")];
    // As in another process, where there may be one: with a connection, and statistics, of its own.
    const served = first === "memory" ? from : queueOn(first, "from.db");
    const results = await from.enqueueMany(Array.from({ length: 200 }, (__, n) => work.job(n).pipe(follow)));
    const consumer = createConsumer(served, { workers: 4 });
    const stopped = consumer.run().catch((error: unknown) => error);
    while (runs.size < 10) await sleep(1);
    await moveQueue(from, to);
    expect(await stopped).toMatchObject({ code: "TASKQ_MOVED" });
    expect(runs.size).toBeLessThan(200);
    const next = createConsumer(to, { workers: 4 });
    const running = next.run();
    const values = await Promise.all(results.map(({ id }) => to.result(follow, id).wait()));
    while ((await to.counts()).completed < 600) await sleep(1);
    expect(values).toEqual(Array.from({ length: 200 }, (__, n) => n + 1));
    await next.stop();
    await running;
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
    expect(await to.counts()).toMatchObject({ completed: 600, failed: 0 });
    expect((await to.stats()).total).toMatchObject({ completed: 600, failed: 0, retried: 0 });
  },
);

test.each([1, 3])(
  "with %i workers, a handler that runs when its queue leaves ends as it would have, and its end is told once",
  async (workers) => {
    const work = task("work", async (_: void, { signal }) => {
      await sleep(150);
      return signal.aborted;
    });
    const tasks = { work };
    const from = closing(createQueue({ storage: memoryStorage(), tasks }));
    const to = closing(createQueue({ storage: memoryStorage(), tasks }));
    const [started, told] = [new Gate(), recordEvents(from)];
    from.on("started", started.open);
    const [first] = await from.enqueueMany([work.job(), work.job()]);
    const stopped = createConsumer(from, { workers, prefetch: 0 })
      .run()
      .catch((error: unknown) => error);
    await started.opened;
    await moveQueue(from, to);
    expect(await stopped).toMatchObject({ code: "TASKQ_MOVED" });
    expect(await to.result(work, first?.id ?? "").peek()).toEqual({ state: "completed", value: false });
    expect(only(told, "completed")).toHaveLength(Math.min(workers, 2));
  },
);

/** The storage, whose steps are taken by somebody else, who has the storage. */
function steppedBy(
  storage: Storage,
  step: (target: StorageContract, request: StepRequest) => Promise<StepAnswer>,
): Storage {
  return new Proxy(storage as unknown as StorageContract, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (property !== "step") return (value as (request: unknown) => unknown).bind(target);
      return (request: StepRequest) => step(target, request);
    },
  }) as unknown as Storage;
}

/** The storage, whose queue begins to leave just before a step that would claim tells of runs that began. */
function leavingWhenBegun(storage: Storage, left: (begun: readonly RunReference[]) => void): Storage {
  let hasLeft = false;
  return steppedBy(storage, async (target, request) => {
    if (!hasLeft && request.begun.length > 0 && request.claim !== undefined) {
      hasLeft = true;
      left(request.begun);
      await target.export({ queue: request.queue, kind: "begin" });
    }
    return target.step(request);
  });
}

test.each([
  ["memory", () => memoryStorage()],
  ["SQLite", async () => sqliteStorage({ path: join(await temporaryFolder(), "from.db") })],
] as const)(
  "on %s, a handler that begins as its queue leaves is known to have begun, so that a crash of it counts",
  async (_, makeStorage) => {
    const storage = await makeStorage();
    const ended = new Gate();
    onTestFinished(() => ended.open());
    let begun: readonly RunReference[] = [];
    const work = task("work", async () => {
      await sleep(5);
      if (begun.length > 0) await ended.opened;
    });
    const leaving = leavingWhenBegun(storage, (runs) => (begun = runs));
    const queue = closing(createQueue({ storage: leaving, tasks: { work } }));
    await queue.enqueueMany(Array.from({ length: 500 }, () => work.job()));
    const stopped = createConsumer(queue, { workers: 1, prefetch: 4 })
      .run()
      .catch((error: unknown) => error);
    await until(() => begun.length > 0);
    const ids = begun.map(({ id }) => id);
    await until(async () => {
      const records = await (storage as unknown as StorageContract).read({ queue: queue.name, ids });
      return records.every((record) => record?.kind === "job" && record.startedAt !== undefined);
    }, 5_000);
    ended.open();
    expect(await stopped).toMatchObject({ code: "TASKQ_MOVED" });
  },
);

const MAX = 4;
const PER = 250;

/** Between when and when a run was claimed, by the clock of this machine. */
interface Claimed {
  readonly from: number;
  readonly to: number;
}

/** The storage, which writes down when it hands out what. */
function observed(storage: Storage, claims: Claimed[]): Storage {
  return steppedBy(storage, async (target, request) => {
    const from = Date.now();
    const answer = await target.step(request);
    const to = Date.now();
    claims.push(...answer.claimed.map(() => ({ from, to })));
    return answer;
  });
}

test.each(storages)(
  "a limit lets no more start while its queue moves from %s, back, and on again",
  async (_, first, second) => {
    const folder = await temporaryFolder();
    const claims: Claimed[] = [];
    const call = task("call", { limit: { max: MAX, per: PER } }, async (n: number) => n);
    const queueOn = (kind: "memory" | "sqlite", name: string) => {
      const storage = kind === "memory" ? memoryStorage() : sqliteStorage({ path: join(folder, name) });
      return closing(createQueue({ storage: observed(storage, claims), tasks: { call } }));
    };
    let [from, to] = [queueOn(first, "from.db"), queueOn(second, "to.db")];
    await from.enqueueMany(Array.from({ length: 8 * MAX }, (__, n) => call.job(n)));
    for (let moves = 1; moves <= 3; moves += 1) {
      const stopped = createConsumer(from, { workers: 4 })
        .run()
        .catch((error: unknown) => error);
      // In the middle of a window, with some of its starts behind it.
      while ((await from.counts()).completed < 2 * MAX * moves) await sleep(1);
      await moveQueue(from, to);
      expect(await stopped).toMatchObject({ code: "TASKQ_MOVED" });
      [from, to] = [to, from];
    }
    const last = createConsumer(from, { workers: 4 });
    const running = last.run();
    while ((await from.counts()).completed < 8 * MAX) await sleep(1);
    await last.stop();
    await running;
    expect(claims).toHaveLength(8 * MAX);
    const apart = claims.slice(MAX).map(({ to: latest }, index) => latest - (claims[index]?.from ?? NaN));
    expect(Math.min(...apart)).toBeGreaterThanOrEqual(PER);
  },
);
