import { join } from "node:path";
import {
  cancelMove,
  createQueue,
  every,
  group,
  moveQueue,
  task,
  type MoveProgress,
  type Queue,
  type Storage,
} from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import type { StorageContract } from "@taskq/core/storage";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { sqliteStorage } from "../../src/index.js";
import { afterTest, failure, temporaryFolder } from "../support.js";
import { makeMemory, makeSqlite, pairs } from "./pairs.js";
import { immediateQueue } from "./storages.js";

const add = task("add", async ({ a, b }: { readonly a: number; readonly b: number }) => a + b);
const increase = task("increase", async ({ input, by }: { input: number; by: number }) => input + by);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0));
const held = task("held", async (n: number) => n);
const report = task("report", { unique: { key: "report" } }, async () => "reported");
const tasks = { add, increase, sum, held, report };

function queueOn(storage: Storage, options: { readonly name?: string } = {}) {
  const queue = createQueue({ storage, tasks, ...options });
  afterTest(() => queue.close());
  return queue;
}

async function run(queue: Queue): Promise<void> {
  await new InlineRunner(engineOf(queue)).runDue();
}

function contractOf(queue: Queue): StorageContract {
  return engineOf(queue).storage;
}

/** One claimed run of the queue, by an owner of its own. */
async function claimOne(queue: Queue, lease = 30_000) {
  await engineOf(queue).open();
  const { claimed } = await contractOf(queue).step({
    queue: queue.name,
    owner: "elsewhere",
    request: 1,
    tasks: engineOf(queue).taskNames,
    settled: [],
    begun: [],
    claim: { begin: 1, ahead: 0, lease },
  });
  const [only] = claimed;
  if (only === undefined) throw new Error("nothing was claimed");
  return only;
}

async function idsOf(queue: Queue): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const job of queue.jobs()) ids.push(job.id);
  // Given and generated ids of one millisecond stand in no order of their own.
  return ids.toSorted();
}

describe.each(pairs)("moving from $name", ({ from: makeFrom, to: makeTo }) => {
  test("flows in flight, results, values, keys and given ids go along, and nothing is done twice", async () => {
    const from = queueOn(makeFrom());
    const to = queueOn(makeTo());
    await from.pause(held);
    const done = await from.enqueue(add.job({ a: 2, b: 3 }));
    const pipeline = await from.enqueue(add.job({ a: 1, b: 2 }).pipe(increase, { by: 10 }));
    const members = [add.job({ a: 1, b: 1 }), held.job(7), add.job({ a: 2, b: 2 })];
    const chord = await from.enqueue(group(members).pipe(sum));
    await run(from);
    const waiting = await from.enqueue(add.job({ a: 4, b: 4 }), { id: "four" });
    const unique = await from.enqueue(report.job(), { delay: "1h" });
    await from.values.set("name", { first: "Ada" });
    await from.values.increment("visits", 4);
    const before = await idsOf(from);

    const moved = await moveQueue(from, to);

    expect(moved.counts?.["job completed"]).toBe(5);
    expect(await idsOf(to)).toEqual(before);
    await expect(from.enqueue(add.job({ a: 0, b: 0 }))).rejects.toMatchObject({ code: "TASKQ_MOVED" });
    expect(await done.wait()).toBe(5);
    expect(await to.result(add, done.id).wait()).toBe(5);
    expect(await to.result(pipeline.id).wait()).toBe(13);
    expect(await to.values.get("name")).toEqual({ first: "Ada" });
    expect(await to.values.increment("visits", 1)).toBe(5);
    expect((await to.enqueue(report.job())).id).toBe(unique.id);
    expect((await to.enqueue(add.job({ a: 9, b: 9 }), { id: "four" })).existing).toBe(true);
    await run(to);
    expect(await to.result(waiting.id).wait()).toBe(8);
    expect(await to.result(chord.id).state()).toBe("blocked");
    await to.resume(held);
    await run(to);
    expect(await to.result(chord.id).wait()).toBe(13);
    expect((await to.job(done.id))?.attempts).toEqual((await from.job(done.id))?.attempts);
    expect(await from.result(chord.id).state()).toBe("blocked");
  });

  test("schedules go on after their last instant", async () => {
    const beats: number[] = [];
    const beat = task("beat", async () => void beats.push(1));
    const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
    const from = immediateQueue(makeFrom(), { beat }, { clock });
    const to = immediateQueue(makeTo(), { beat }, { clock });
    await from.schedules.upsert("hourly", { schedule: every("1h"), job: beat.job() });
    await from.schedules.upsert("stopped", { schedule: every("1m"), job: beat.job() });
    await from.schedules.pause("stopped");
    await advance(from, "150m");
    expect(beats).toHaveLength(2);
    await moveQueue(from, to);
    await advance(to, "60m");
    expect(beats).toHaveLength(3);
    const listed: [string, boolean][] = [];
    for await (const { name, paused } of to.schedules.list()) listed.push([name, paused]);
    expect(listed).toEqual([
      ["hourly", false],
      ["stopped", true],
    ]);
  });

  test("a run that is active ends where it is, and its result is there after the move", async () => {
    const from = queueOn(makeFrom());
    const to = queueOn(makeTo());
    const result = await from.enqueue(add.job({ a: 1, b: 1 }).pipe(increase, { by: 1 }));
    const active = await claimOne(from);
    const seen: MoveProgress[] = [];
    const moving = moveQueue(from, to, { onProgress: (progress) => void seen.push(progress) });
    while (!seen.some(({ active: count }) => count === 1)) await new Promise(setImmediate);
    const engine = engineOf(from);
    const outcome = {
      kind: "completed",
      result: engine.serializer.encode(2, {
        purpose: "result",
        namespace: engine.storage.namespace,
        queue: from.name,
        id: active.id,
        task: "add",
        fence: active.fence,
      }),
    } as const;
    const { settled } = await engine.storage.step({
      queue: from.name,
      owner: "elsewhere",
      request: 2,
      tasks: [],
      settled: [{ id: active.id, fence: active.fence, startedAt: Date.now(), outcome, add: undefined }],
      begun: [],
      claim: undefined,
    });
    expect(settled).toEqual(["applied"]);
    await moving;
    expect(seen.at(-1)?.phase).toBe("done");
    await run(to);
    expect(await to.result(result.id).wait()).toBe(3);
  });

  test("a run whose consumer died comes back by its lease, and moves with its crash", async () => {
    const from = queueOn(makeFrom());
    const to = queueOn(makeTo());
    const result = await from.enqueue(add.job({ a: 1, b: 1 }));
    const before = await claimOne(from, 150);
    await moveQueue(from, to);
    const job = await to.job(result.id);
    expect([job?.crashes, job?.attempt]).toEqual([1, 1]);
    const [late] = (
      await contractOf(from).step({
        queue: from.name,
        owner: "elsewhere",
        request: 2,
        tasks: [],
        settled: [
          {
            id: before.id,
            fence: before.fence,
            startedAt: 0,
            outcome: { kind: "completed", result: undefined },
            add: undefined,
          },
        ],
        begun: [],
        claim: undefined,
      })
    ).settled;
    expect(late).toBe("lost");
    for (let waits = 0; (await to.result(result.id).state()) !== "completed" && waits < 200; waits += 1) {
      await run(to);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await to.result(result.id).wait()).toBe(2);
  });

  test("broken off, it goes on when it is called again; taken back, the source opens as it was", async () => {
    const from = queueOn(makeFrom());
    const to = queueOn(makeTo());
    await from.enqueueMany(Array.from({ length: 500 }, (_, index) => add.job({ a: index, b: 1 })));
    const breaker = new AbortController();
    const stop = (progress: MoveProgress): void => {
      if (progress.records >= 200) breaker.abort(new Error("enough"));
    };
    await expect(moveQueue(from, to, { signal: breaker.signal, onProgress: stop })).rejects.toThrow("enough");
    await expect(to.enqueue(add.job({ a: 1, b: 1 }))).rejects.toMatchObject({ code: "TASKQ_MOVED" });
    await cancelMove(from, to);
    await cancelMove(from, to);
    expect((await to.counts()).ready).toBe(0);
    await run(from);
    await from.enqueue(add.job({ a: 1, b: 1 }));
    const again = new AbortController();
    const stopAgain = (progress: MoveProgress): void => {
      if (progress.records >= 200) again.abort(new Error("again"));
    };
    await expect(moveQueue(from, to, { signal: again.signal, onProgress: stopAgain })).rejects.toThrow(
      "again",
    );
    const { records, counts } = await moveQueue(from, to);
    expect(records).toBeLessThan(501);
    expect(counts).toMatchObject({ "job completed": 500, "job waiting": 1 });
    expect(await moveQueue(from, to)).toEqual({ records: 0, counts: undefined });
    expect((await failure(cancelMove(from, to))).message).toMatch(/since it has opened here/);
    const elsewhere = queueOn(makeMemory());
    expect((await failure(moveQueue(from, elsewhere))).code).toBe("TASKQ_MOVED");
    await elsewhere.enqueue(add.job({ a: 1, b: 1 }));
    await run(to);
    expect((await to.counts()).completed).toBe(501);
  });

  test("a queue comes back to where it was, and fences grow all the way", async () => {
    const from = queueOn(makeFrom());
    const to = queueOn(makeTo());
    const results = await from.enqueueMany([1, 2, 3].map((n) => held.job(n)));
    const fences: number[] = [];
    const queues = [from, to, from, to];
    for (const [index, queue] of queues.entries()) {
      const before = index === 0 ? undefined : queues[index - 1];
      if (before !== undefined) await moveQueue(before, queue);
      const result = await queue.enqueue(held.job(index));
      await run(queue);
      fences.push(await fenceOf(queue, result.id));
    }
    expect(fences).toEqual(fences.toSorted((left, right) => left - right));
    expect(new Set(fences).size).toBe(4);
    for (const { id } of results) expect(await to.result(id).state()).toBe("completed");
    expect((await to.counts()).completed).toBe(7);
  });
});

async function fenceOf(queue: Queue, id: string): Promise<number> {
  const [record] = await contractOf(queue).read({ queue: queue.name, ids: [id] });
  return record?.kind === "job" ? record.fence : 0;
}

/** A storage that loses a record on its way. */
function losing(storage: Storage): Storage {
  return new Proxy(storage as unknown as StorageContract, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = (value as (request: unknown) => unknown).bind(target);
      if (property !== "import") return method;
      return (request: Parameters<StorageContract["import"]>[0]) =>
        method(request.kind === "page" ? { ...request, records: request.records.slice(1) } : request);
    },
  }) as unknown as Storage;
}

describe("a move that cannot be", () => {
  test("opens nothing when the counts differ, and can be taken back", async () => {
    const from = queueOn(makeSqlite());
    const to = queueOn(losing(makeSqlite()));
    const result = await from.enqueue(add.job({ a: 1, b: 1 }));
    const error = await failure(moveQueue(from, to));
    expect(error.code).toBe("TASKQ_MOVE");
    expect(error.message).toMatch(
      /expected the target to keep what the source does, got job waiting 1 and 0/,
    );
    expect((await failure(to.enqueue(add.job({ a: 1, b: 1 })))).code).toBe("TASKQ_MOVED");
    await cancelMove(from, to);
    await run(from);
    expect(await result.wait()).toBe(2);
    await to.enqueue(add.job({ a: 1, b: 1 }));
  });

  test("is refused into a queue with jobs, before the source begins to leave", async () => {
    const from = queueOn(makeMemory());
    const to = queueOn(makeSqlite());
    await to.enqueue(add.job({ a: 1, b: 1 }));
    const error = await failure(moveQueue(from, to));
    expect(error.code).toBe("TASKQ_MOVE");
    expect(error.message).toBe(
      'moveQueue to: expected the queue "default" to be empty, got one with jobs (1 ready); the source was left as it is',
    );
    await from.enqueue(add.job({ a: 1, b: 1 }));
    await run(to);
    expect((await to.counts()).completed).toBe(1);
  });

  test("is refused into a queue that keeps values only, and leaves the source open", async () => {
    const from = queueOn(makeMemory());
    const to = queueOn(makeSqlite());
    await to.values.set("kept", 1);
    const error = await failure(moveQueue(from, to));
    expect(error.code).toBe("TASKQ_MOVE");
    expect(error.message).toMatch(/expected the queue "default" to be empty, got one that keeps something/);
    await from.enqueue(add.job({ a: 1, b: 1 }));
    expect(await to.values.get("kept")).toBe(1);
  });

  test("is refused into a queue that is leaving, or has moved on, and leaves all as it is", async () => {
    const [from, to, third] = [queueOn(makeMemory()), queueOn(makeSqlite()), queueOn(makeMemory())];
    await contractOf(to).open(engineOf(to).openRequest);
    await contractOf(to).export({ queue: to.name, kind: "begin" });
    const leaving = await failure(moveQueue(from, to));
    expect([leaving.code, leaving.message]).toEqual([
      "TASKQ_MOVED",
      'moveQueue to: the queue "default" is itself moving away from there',
    ]);
    const { id } = await from.enqueue(add.job({ a: 1, b: 1 }));
    await cancelMove(to, third);
    await moveQueue(from, to);
    await moveQueue(to, third);
    const gone = await failure(moveQueue(from, to));
    expect([gone.code, gone.message]).toEqual([
      "TASKQ_MOVED",
      'moveQueue to: the queue "default" has moved on from there',
    ]);
    expect(await to.job(id)).toMatchObject({ state: "ready" });
    await run(third);
    expect(await third.result(id).wait()).toBe(2);
  });

  test("is refused into the same file, under two storages too", async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = sqliteStorage({ path });
    const [from, to] = [queueOn(storage), queueOn(sqliteStorage({ path }))];
    await from.enqueue(add.job({ a: 1, b: 1 }));
    expect((await failure(moveQueue(from, from))).message).toMatch(
      /expected two storages, got the same one twice/,
    );
    expect((await failure(moveQueue(from, to))).code).toBe("TASKQ_MOVE");
    await run(from);
    expect((await from.counts()).completed).toBe(1);
    await from.flush({ confirm: from.name });
    const error = await failure(moveQueue(from, to));
    expect([error.code, error.message]).toEqual([
      "TASKQ_OPTION",
      "moveQueue: expected two stores, got two storages on the same one",
    ]);
    await from.enqueue(add.job({ a: 1, b: 1 }));
  });

  test("says what was expected and what came", async () => {
    const from = queueOn(makeMemory());
    const to = queueOn(makeMemory(), { name: "other" });
    const messages = [
      await failure(moveQueue(from, to)),
      await failure(moveQueue(from, {} as Queue)),
      await failure(moveQueue(from, to, { sginal: 1 } as never)),
      await failure(moveQueue(from, to, { signal: 5 as never })),
      await failure(moveQueue(from, to, { onProgress: "yes" as never })),
    ];
    for (const { code } of messages) expect(code).toBe("TASKQ_OPTION");
    expect(messages.map(({ message }) => message)).toEqual([
      expect.stringMatching(/moveQueue to: expected a queue of the same name 'default', got 'other'/),
      expect.stringMatching(/expected a queue, made by createQueue/),
      expect.stringMatching(/sginal/),
      expect.stringMatching(/moveQueue signal: expected an AbortSignal, got 5/),
      expect.stringMatching(/moveQueue onProgress: expected a function, got 'yes'/),
    ]);
    expect((await from.counts()).ready).toBe(0);
    await from.enqueue(add.job({ a: 1, b: 1 }));
  });
});

test("one of several queues of a file moves, and the others stay", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = sqliteStorage({ path });
  const from = queueOn(storage, { name: "mail" });
  const other = queueOn(storage, { name: "video" });
  const to = queueOn(makeSqlite(), { name: "mail" });
  await other.pause(held);
  for (const queue of [from, other]) {
    await queue.enqueue(group([add.job({ a: 1, b: 1 }), held.job(1)]).pipe(sum), { id: "same" });
    await queue.values.set("of", queue.name);
  }
  await moveQueue(from, to);
  await from.flush({ confirm: "mail" });
  await Promise.all([run(to), run(other)]);
  expect(await to.values.get("of")).toBe("mail");
  expect(await other.values.get("of")).toBe("video");
  expect(await to.result("same").state()).toBe("completed");
  expect(await other.result("same").state()).toBe("blocked");
  await other.resume(held);
  await run(other);
  expect(await other.result("same").wait()).toBe(3);
  expect((await from.counts()).ready).toBe(0);
});
