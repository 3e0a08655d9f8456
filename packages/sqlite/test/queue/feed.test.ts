import {
  createQueue,
  Fatal,
  Cancel,
  group,
  moveQueue,
  task,
  TaskqError,
  type EventType,
  type FailureReport,
  type Queue,
  type QueueEvent,
  type Storage,
} from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import type { EventsRequest, StorageContract } from "@taskq/core/storage";
import { advance, virtualClock } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

type FeedEvent = QueueEvent & { readonly cursor: string };

const fine = task("fine", async (n: number) => n);
const bad = task("bad", async (): Promise<number> => {
  throw new Error("boom");
});
const sum = task("sum", async (numbers: readonly number[]) => numbers.length);
const alert = task("alert", async ({ id }: FailureReport) => id);
const tasks = { fine, bad, sum, alert };

/** That many events from a place on. */
async function take(queue: Queue, count: number, from?: string): Promise<readonly FeedEvent[]> {
  const events: FeedEvent[] = [];
  if (count === 0) return events;
  for await (const event of queue.events(from === undefined ? {} : { from })) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

const LAST = "the last of all";
let count = 0;

/** What is kept, without waiting for more. */
async function kept(queue: Queue<"fine">, from = "start"): Promise<readonly FeedEvent[]> {
  const end = await queue.enqueue(fine.job(0), { id: `${LAST} ${(count += 1)}` });
  await end.wait();
  const events: FeedEvent[] = [];
  for await (const event of queue.events({ from })) {
    if (event.id === end.id) break;
    events.push(event);
  }
  return events;
}

function find<Type extends EventType>(events: readonly FeedEvent[], type: Type): QueueEvent<Type> {
  const found = events.find((event) => event.type === type);
  if (found === undefined)
    throw new Error(`expected ${type}, got ${events.map((event) => event.type).join()}`);
  return found as unknown as QueueEvent<Type>;
}

/** Has the queue followed: it is once its feed was read. */
async function begun(queue: Queue): Promise<void> {
  const engine = engineOf(queue);
  const { storage, name, time } = engine;
  await engine.open();
  await storage.events({ queue: name, from: "now", limit: 1, now: time.requestNow() });
}

describe.each(storages)("the feed on $name", ({ make }) => {
  test("it tells of every job that becomes final, in order, each with what its event declares", async () => {
    const given = task("given", async () => {
      throw new Cancel("not needed");
    });
    const fatal = task("fatal", { retries: 5 }, async () => {
      throw new Fatal("never again");
    });
    const flaky = task("flaky", { retries: 1, backoff: "5s" }, async (_: void, { attempt }) => {
      if (attempt === 1) throw new Error("once");
    });
    const queue = immediateQueue(make(), { ...tasks, given, fatal, flaky });
    await begun(queue);
    const ids = [await queue.enqueue(fine.job(1)), await queue.enqueue(given.job())].map(({ id }) => id);
    const flow = await queue.enqueue(bad.job().pipe(fine, {} as never));
    const fatally = await queue.enqueue(fatal.job());
    const twice = await queue.enqueue(flaky.job());
    const revoked = await queue.enqueue(fine.job(1), { delay: "1h" });
    await revoked.revoke();
    const expiring = await queue.enqueue(fine.job(2), { delay: "1m", expires: "30s" });
    await advance(queue, "2m");
    const events = await kept(queue);
    expect(events.map(({ type, id }) => [type, id])).toEqual([
      ["completed", ids[0]],
      ["cancelled", ids[1]],
      ["failed", flow.stages[0]?.id],
      ["skipped", flow.id],
      ["failed", fatally.id],
      ["revoked", revoked.id],
      ["completed", twice.id],
      ["expired", expiring.id],
    ]);
    expect(find(events, "completed")).toMatchObject({ task: "fine", attempt: 1, durationMs: 0 });
    expect(find(events, "cancelled").reason).toBe("not needed");
    expect(find(events, "skipped").reason).toBe("a job before it failed");
    expect(find(events, "failed")).toMatchObject({ task: "bad", attempt: 1, error: { message: "boom" } });
    expect(events[6]).toMatchObject({ task: "flaky", attempt: 2 });
    expect(events.every(({ time }) => time instanceof Date)).toBe(true);
  });

  test("with the cursor of the last event that was dealt with, a reader misses nothing and hears nothing twice", async () => {
    const queue = immediateQueue(make(), tasks);
    await begun(queue);
    const results = await queue.enqueueMany(Array.from({ length: 25 }, (_, n) => fine.job(n)));
    const whole = await take(queue, 25, "start");
    expect(whole.map(({ id }) => id)).toEqual(results.map(({ id }) => id));
    for (const [index, { cursor }] of whole.entries()) {
      expect(await take(queue, 24 - index, cursor)).toEqual(whole.slice(index + 1));
    }
  });

  test("events of more than one page are told in order", async () => {
    const queue = immediateQueue(make(), tasks);
    await begun(queue);
    const results = await queue.enqueueMany(Array.from({ length: 1_234 }, (_, n) => fine.job(n)));
    const events = await take(queue, 1_234, "start");
    expect(events.map(({ id }) => id)).toEqual(results.map(({ id }) => id));
  });

  test("without from it tells what comes after the first next, and wakes when it comes", async () => {
    const queue = immediateQueue(make(), tasks);
    await begun(queue);
    await queue.enqueue(fine.job(1));
    const iterator = queue.events()[Symbol.asyncIterator]();
    const first = iterator.next();
    const heard = { first: false };
    void first.then(() => (heard.first = true));
    const ids: string[] = [];
    while (!heard.first) {
      ids.push((await queue.enqueue(fine.job(2))).id);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const { id } = (await first).value as FeedEvent;
    expect(ids).toContain(id);
    for (const next of ids.slice(ids.indexOf(id) + 1)) {
      expect((await iterator.next()).value).toMatchObject({ type: "completed", id: next });
    }
    const waiting = iterator.next();
    const failing = await queue.enqueue(bad.job());
    expect((await waiting).value).toMatchObject({ type: "failed", id: failing.id });
    await iterator.return?.();
  });

  test("what ended before anybody followed is not in it", async () => {
    const queue = immediateQueue(make(), tasks);
    await queue.enqueue(fine.job(1));
    await begun(queue);
    const { id } = await queue.enqueue(fine.job(2));
    expect((await take(queue, 1, "start"))[0]?.id).toBe(id);
  });

  test("one iterable may be read by several, each from the start", async () => {
    const queue = immediateQueue(make(), tasks);
    await begun(queue);
    await queue.enqueueMany([fine.job(1), fine.job(2)]);
    const events = queue.events({ from: "start" });
    const readers = [events[Symbol.asyncIterator](), events[Symbol.asyncIterator]()];
    const heard = await Promise.all(
      readers.map(async (reader) => [await reader.next(), await reader.next()]),
    );
    expect(heard[0]).toEqual(heard[1]);
    for (const reader of readers) await reader.return?.();
  });

  test("it ends with its signal, with the queue, and when it is given up while it waits", async () => {
    const queue = immediateQueue(make(), tasks);
    const ending = new AbortController();
    const bySignal = queue.events({ signal: ending.signal })[Symbol.asyncIterator]();
    const byReturn = queue.events()[Symbol.asyncIterator]();
    const byClose = queue.events()[Symbol.asyncIterator]();
    const waiting = [bySignal, byReturn, byClose].map((iterator) => iterator.next());
    await queue.counts();
    ending.abort();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    await byReturn.return?.();
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
    await queue.close();
    expect(await waiting[2]).toEqual({ done: true, value: undefined });
    const aborted = queue.events({ signal: AbortSignal.abort() })[Symbol.asyncIterator]();
    expect(await aborted.next()).toEqual({ done: true, value: undefined });
    await expect(queue.events()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "TASKQ_CLOSED",
    });
  });

  test("a signal ends it between two events of a page", async () => {
    const queue = immediateQueue(make(), tasks);
    await begun(queue);
    await queue.enqueueMany([fine.job(1), fine.job(2)]);
    const ending = new AbortController();
    const heard: string[] = [];
    for await (const { type } of queue.events({ from: "start", signal: ending.signal })) {
      heard.push(type);
      ending.abort();
    }
    expect(heard).toEqual(["completed"]);
  });

  test("while the storage is away a reader waits, and then goes on; at its first look it rejects", async () => {
    const storage = make() as unknown as StorageContract;
    const away = { calls: 0, until: 0 };
    const passing = new Proxy(storage, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        if (property !== "events") return (value as () => unknown).bind(target);
        return (request: EventsRequest) => {
          away.calls += 1;
          return away.calls <= away.until
            ? Promise.reject(new TaskqError("TASKQ_UNAVAILABLE", "the server is away"))
            : target.events(request);
        };
      },
    });
    const queue = immediateQueue(passing as unknown as Storage, tasks);
    away.until = 1;
    await expect(take(queue, 1, "start")).rejects.toMatchObject({ code: "TASKQ_UNAVAILABLE" });
    await begun(queue);
    const iterator = queue.events({ from: "start" })[Symbol.asyncIterator]();
    const first = iterator.next();
    while (away.calls < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    away.until = 4;
    const { id } = await queue.enqueue(fine.job(1));
    expect((await first).value).toMatchObject({ id });
    expect(away.calls).toBeGreaterThan(4);
    await iterator.return?.();
  });

  test("a job that ran again by hand is told of again", async () => {
    const once = task("once", async (_: void, { attempt }) => {
      if (attempt === 1) throw new Error("first");
    });
    const queue = immediateQueue(make(), { once, fine });
    await begun(queue);
    const result = await queue.enqueue(once.job());
    await queue.retry(result.id);
    await advance(queue, 1);
    const events = await kept(queue);
    expect(events.map(({ type, id }) => [type, id])).toEqual([
      ["failed", result.id],
      ["completed", result.id],
    ]);
  });

  test("members of a failed group are told of as skipped, each once", async () => {
    const queue = immediateQueue(make(), tasks);
    await begun(queue);
    await queue.enqueue(
      group([bad.job(), fine.job(1).pipe(fine)])
        .pipe(sum)
        .onError(alert),
    );
    const events = await kept(queue);
    const states = new Map<string, string>();
    for await (const { id, state } of queue.jobs()) states.set(id, state);
    expect(events.map(({ id, type }) => `${id} ${type}`).toSorted()).toEqual(
      [...states]
        .filter(([id]) => !id.startsWith(LAST))
        .map((words) => words.join(" "))
        .toSorted(),
    );
    expect([...states.values()]).toContain("skipped");
  });

  test("an error that is too large for the feed is said to be, and can be read with its job", async () => {
    const large = task("large", async () => {
      throw new Error("x".repeat(50_000));
    });
    const queue = immediateQueue(make(), { large, fine });
    await begun(queue);
    const { id } = await queue.enqueue(large.job());
    const [event] = await kept(queue);
    expect(event).toMatchObject({ type: "failed", id, error: { code: "TASKQ_TOO_LARGE" } });
    expect((await queue.job(id))?.attempts[0]?.error?.message).toMatch(/^x{1000}/);
  });

  test("a cursor from before what is kept rejects, and so does one of another queue", async () => {
    const clock = virtualClock();
    const queue = immediateQueue(make(), tasks, { clock });
    await begun(queue);
    await queue.enqueue(fine.job(1));
    const [first] = await take(queue, 1, "start");
    await queue.enqueue(fine.job(2));
    await advance(queue, "6d");
    expect(await take(queue, 1, first?.cursor)).toHaveLength(1);
    await advance(queue, "3d");
    const late = await queue.enqueue(fine.job(3));
    const lost = queue.events({ from: first?.cursor ?? "" })[Symbol.asyncIterator]();
    await expect(lost.next()).rejects.toMatchObject({
      code: "TASKQ_EVENTS_LOST",
      message: expect.stringMatching(/events up to number 2 are gone/) as string,
    });
    expect((await take(queue, 1, "start"))[0]?.id).toBe(late.id);
    const other = immediateQueue(make(), tasks);
    await expect(take(other, 1, first?.cursor)).rejects.toMatchObject({
      code: "TASKQ_EVENTS_LOST",
      message: expect.stringMatching(/it is of another feed/) as string,
    });
  });

  test("a cursor goes on where the queue has moved to", async () => {
    const [source, target] = [make(), make()];
    const from = immediateQueue(source, tasks);
    await begun(from);
    await from.enqueueMany([fine.job(1), fine.job(2), bad.job()]);
    const events = await take(from, 3, "start");
    const to = createQueue({ storage: target, tasks });
    const behind = from.events({ from: events[2]?.cursor ?? "" });
    const waiting = behind[Symbol.asyncIterator]().next();
    await moveQueue(from, to);
    await expect(waiting).rejects.toMatchObject({ code: "TASKQ_MOVED" });
    expect(await take(from, 2, events[0]?.cursor)).toEqual(events.slice(1));
    expect(await take(to, 3, "start")).toEqual(events);
    await to.close();
  });

  test("wrong options are refused with what was expected", () => {
    const queue = immediateQueue(make(), tasks);
    const expected = /events from: expected 'start', 'now' or the cursor of an event, got /;
    for (const from of ["", "oldest", "12", "x.-1", 7, null, {}]) {
      expect(() => queue.events({ from: from as never })).toThrow(expected);
    }
    expect(() => queue.events({ signal: {} as never })).toThrow(
      /events signal: expected an AbortSignal, got \{\}/,
    );
    expect(() => queue.events({ form: "start" } as never)).toThrow(
      /events: unknown option 'form'; known are 'from', 'signal'/,
    );
    expect(() => queue.events("start" as never)).toThrow(/events: expected an object with 'from', 'signal'/);
  });
});
