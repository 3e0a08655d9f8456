import { group, task, type FailureReport, type Queue, type QueueEvent } from "@taskq/core";
import { advance } from "@taskq/core/testing";
import { describe, expect, test, vi } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const fine = task("fine", async (n: number) => n);
const bad = task("bad", async () => {
  throw new Error("boom");
});

const faultyLogger = {
  debug() {},
  info() {},
  warn() {},
  error() {
    throw new Error("logger");
  },
};

/** The local events of a queue, as they come. */
function heardBy(queue: Queue): QueueEvent[] {
  const events: QueueEvent[] = [];
  queue.on("*", (event) => void events.push(event));
  return events;
}

function types(events: readonly QueueEvent[], id?: string): readonly string[] {
  return events.filter((event) => id === undefined || event.id === id).map(({ type }) => type);
}

function find<Type extends QueueEvent["type"]>(events: readonly QueueEvent[], type: Type): QueueEvent<Type> {
  const found = events.find((event) => event.type === type);
  if (found === undefined) throw new Error(`expected an event ${type}, got ${types(events).join(", ")}`);
  return found as unknown as QueueEvent<Type>;
}

describe.each(storages)("events of one process on $name", ({ make }) => {
  test("what follows a failure is skipped with its reason, each stage once", async () => {
    const queue = immediateQueue(make(), { bad, fine });
    const events = heardBy(queue);
    const result = await queue.enqueue(
      bad
        .job()
        .pipe(fine, {} as never)
        .pipe(fine),
    );
    const skipped = events.filter(({ type }) => type === "skipped");
    expect(skipped.map(({ id }) => id).toSorted()).toEqual(
      result.stages
        .slice(1)
        .map(({ id }) => id)
        .toSorted(),
    );
    expect(find(events, "skipped").reason).toBe("a job before it failed");
  });

  test("a job that ends as it is stored is told of as stored first", async () => {
    const handler = task("handler", async ({ id }: FailureReport) => id);
    const queue = immediateQueue(make(), { fine, handler });
    const events = heardBy(queue);
    await queue.enqueue(group([]).onError(handler));
    expect(types(events)).toEqual(["enqueued", "skipped"]);

    const unique = { key: "all", onConflict: "replace" } as const;
    const [first, second] = await queue.enqueueMany([fine.job(1), fine.job(2)], { unique, delay: "1m" });
    expect(types(events, first?.id)).toEqual(["scheduled", "cancelled"]);
    expect(types(events, second?.id)).toEqual(["scheduled"]);
  });

  test("a job that waits for a lock tells so once", async () => {
    const synced = task("synced", { lock: "file" }, async () => {});
    const queue = immediateQueue(make(), { synced });
    const events = heardBy(queue);
    const held = await queue.lock("file").acquire();
    const result = await queue.enqueue(synced.job());
    await advance(queue, "1s");
    await advance(queue, "1s");
    expect(types(events, result.id)).toEqual(["enqueued", "locked"]);
    expect(find(events, "locked").key).toBe("file");
    await held[Symbol.asyncDispose]();
    await advance(queue, 1);
    expect(types(events, result.id)).toEqual(["enqueued", "locked", "started", "completed"]);
  });

  test("progress is told with its value", async () => {
    const long = task("long", async (_: void, { progress }) => {
      await progress({ done: 1 });
      await progress({ done: 2 });
    });
    const queue = immediateQueue(make(), { long });
    const events = heardBy(queue);
    const result = await queue.enqueue(long.job());
    expect(types(events)).toEqual(["enqueued", "started", "progress", "progress", "completed"]);
    expect(find(events, "progress")).toMatchObject({ id: result.id, attempt: 1, value: { done: 1 } });
  });

  test("jobs that a run joined are told of once they are stored", async () => {
    const parent = task("parent", async (_: void, { enqueue, attempt }) => {
      await enqueue(fine.job(attempt), { join: true });
      if (attempt === 1) throw new Error("again");
    });
    const queue = immediateQueue(make(), { parent, fine });
    const events = heardBy(queue);
    await queue.enqueue(parent.job(), { retries: 1 });
    await advance(queue, "1h");
    const ofFine = events.filter((event) => event.task === "fine");
    expect(types(ofFine)).toEqual(["enqueued", "started", "completed"]);
  });

  test("a listener that throws, or a logger that throws of it, disturbs neither the job nor other listeners", async () => {
    vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const queue = immediateQueue(make(), { fine }, { logger: faultyLogger });
    const heard: string[] = [];
    queue.on("*", () => {
      throw Object.create(null) as Error;
    });
    queue.on("*", () => Promise.reject(new Error("later")));
    queue.on("*", ({ type }) => void heard.push(type));
    const result = await queue.enqueue(group([fine.job(1), fine.job(2)]));
    expect(await result.wait()).toEqual([1, 2]);
    expect(heard.filter((type) => type === "completed")).toHaveLength(2);
  });

  test("a listener is heard until it is disposed of, and only what it asked for", async () => {
    const queue = immediateQueue(make(), { fine });
    const heard: string[] = [];
    const listening = queue.on(["started", "completed"], ({ type }) => void heard.push(type));
    await queue.enqueue(fine.job(1));
    listening[Symbol.dispose]();
    await queue.enqueue(fine.job(2));
    expect(heard).toEqual(["started", "completed"]);
  });

  test("wrong events and listeners are refused with what was expected", () => {
    const queue = immediateQueue(make(), { fine });
    expect(() => queue.on("done" as never, () => {})).toThrow(/event: expected 'enqueued' or .*, got 'done'/);
    expect(() => queue.on(["started", 5] as never, () => {})).toThrow(/event: expected .*, got 5/);
    expect(() => queue.on(undefined as never, () => {})).toThrow(/event: expected .*, got undefined/);
    expect(() => queue.on("*", "log" as never)).toThrow("on listener: expected a function, got 'log'");
  });
});
