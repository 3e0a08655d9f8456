// What the ancestor tells by its signals, and what a handler hears of its own run.
import { Cancel, JobFailedError, task, TimeoutError, type Queue, type QueueEvent } from "@taskq/core";
import { advance } from "@taskq/core/testing";
import { describe, expect, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const work = task("work", async (n: number) => n);
function typesOf(queue: Queue): string[] {
  const types: string[] = [];
  queue.on("*", ({ type }) => void types.push(type));
  return types;
}

describe.each(storages)("signals on $name", ({ make }) => {
  test("a job that runs tells enqueued, started and completed; one that is due later scheduled first", async () => {
    const queue = immediateQueue(make(), { work });
    const types = typesOf(queue);
    await queue.enqueue(work.job(1));
    expect(types.splice(0)).toEqual(["enqueued", "started", "completed"]);
    await queue.enqueue(work.job(1), { delay: "1m" });
    expect(types.splice(0)).toEqual(["scheduled"]);
    await advance(queue, "1m");
    expect(types).toEqual(["started", "completed"]);
  });

  test("an event is told once the fact is stored, and a job that is refused tells none", async () => {
    const other = task("other", async () => {});
    const queue = immediateQueue(make(), { work, other });
    const types = typesOf(queue);
    const found: Promise<string | undefined>[] = [];
    queue.on(["scheduled"], ({ id }) => void found.push(queue.job(id).then((info) => info?.state)));
    await queue.enqueue(work.job(1), { id: "one", delay: "1m" });
    expect(await Promise.all(found)).toEqual(["scheduled"]);
    await expect(queue.enqueue(other.job(), { id: "one" })).rejects.toMatchObject({ code: "TASKQ_ID_TAKEN" });
    expect(types).toEqual(["scheduled"]);
  });

  test("each failed attempt tells retrying, and the last one failed, once", async () => {
    const broken = task("broken", { retries: 2, backoff: "1s" }, async () => {
      throw new Error("broken");
    });
    const queue = immediateQueue(make(), { broken });
    const types = typesOf(queue);
    await queue.enqueue(broken.job());
    await advance(queue, "5s");
    expect(types.filter((type) => type !== "started")).toEqual([
      "enqueued",
      "retrying",
      "retrying",
      "failed",
    ]);
  });

  test("a run that takes too long hears it by its signal, tells timeout, then fails with TimeoutError", async () => {
    const left: (number | undefined)[] = [];
    const slow = task(
      "slow",
      { timeout: 20 },
      async (_: void, { signal, deadline, enqueuedAt, remaining }) => {
        left.push(
          remaining(),
          deadline === undefined ? undefined : deadline.getTime() - enqueuedAt.getTime(),
        );
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        signal.throwIfAborted();
      },
    );
    const queue = immediateQueue(make(), { slow });
    const events: QueueEvent<"timeout" | "failed">[] = [];
    queue.on(["timeout", "failed"], (event) => void events.push(event));
    const result = await queue.enqueue(slow.job());
    expect(events.map(({ type }) => type)).toEqual(["timeout", "failed"]);
    expect(events).toMatchObject([{ timeoutMs: 20 }, { error: { name: TimeoutError.name } }]);
    const error = await result.wait().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(JobFailedError);
    expect(error).toMatchObject({ attempts: 1 });
    // In virtual time the run takes no time of the queue's.
    expect(left).toEqual([20, 20]);
  });

  test("a call may give a timeout of its own, and retries too", async () => {
    const forever = task("forever", async (_: void, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    });
    const queue = immediateQueue(make(), { forever });
    const result = await queue.enqueue(forever.job(), { timeout: 10, retries: 1, backoff: "1s" });
    await advance(queue, "2s");
    expect(await result.info()).toMatchObject({ state: "failed", attempt: 2 });
  });

  test("cancelled, revoked, expired, skipped and locked are told, each by its own name", async () => {
    const gone = task("gone", async (): Promise<number> => {
      throw new Cancel("gone");
    });
    const locked = task("locked", { lock: "x" }, async () => {});
    const queue = immediateQueue(make(), { gone, work, locked });
    const types = typesOf(queue);
    const told = (): string[] => types.splice(0).filter((type) => !["enqueued", "started"].includes(type));
    await queue.enqueue(gone.job().pipe(work));
    expect(told()).toEqual(expect.arrayContaining(["cancelled", "skipped"]));
    const later = await queue.enqueue(work.job(1), { delay: "1h" });
    await later.revoke();
    expect(told()).toEqual(["scheduled", "revoked"]);
    await queue.enqueue(work.job(1), { delay: "1h", expires: "1m" });
    await advance(queue, "1h");
    expect(told()).toEqual(["scheduled", "expired"]);
    const held = await queue.lock("x").acquire();
    await queue.enqueue(locked.job());
    expect(told()).toEqual(["locked"]);
    await held[Symbol.asyncDispose]();
    await advance(queue, 1);
    expect(told()).toEqual(["completed"]);
  });

  test("what a middleware makes of a job is checked before anything is stored", async () => {
    const queue = immediateQueue(make(), { work });
    let change: object | undefined;
    queue.use({ enqueue: (job, next) => next((change && { ...job, ...change }) as typeof job) });
    const refused = (message: string): Promise<void> =>
      expect(queue.enqueue(work.job(1))).rejects.toMatchObject({
        code: "TASKQ_OPTION",
        message: expect.stringContaining(message),
      });
    await refused("next of a middleware: expected the job, or a changed copy, got undefined");
    for (const [made, message] of [
      [{ headers: { tenant: 5 } }, "header 'tenant': expected a text, got 5"],
      [{ headers: undefined }, "headers: expected an object of texts, got undefined"],
      [{ scheduledAt: new Date("x") }, "scheduledAt: expected a valid Date, got an invalid Date"],
      [{ scheduledAt: 5 }, "scheduledAt: expected a valid Date, got 5"],
      [{ priority: Number.NaN }, "priority: expected"],
      [{ priority: 1.5 }, "priority: expected"],
      [{ priority: 2 ** 40 }, "priority: expected"],
      [{ id: "other" }, "changed the id or the task"],
    ] as const) {
      change = made;
      await refused(message);
    }
    expect(await queue.counts()).toMatchObject({ ready: 0, scheduled: 0, completed: 0 });
    change = { headers: { tenant: "open" }, priority: 5 };
    expect(await (await queue.enqueue(work.job(7))).wait()).toBe(7);
  });

  test("what a middleware writes into a job, before or after next(), is checked as well", async () => {
    const queue = immediateQueue(make(), { work });
    let write: ((job: Record<string, any>) => void) | undefined;
    let isLate = false;
    queue.use({
      async enqueue(job, next) {
        if (!isLate) write?.(job);
        await next(job);
        if (isLate) write?.(job);
      },
    });
    for (const wrong of [
      (job) => (job["headers"]["tenant"] = 5),
      (job) => (job["priority"] = Number.NaN),
      (job) => job["scheduledAt"].setTime(Number.NaN),
      (job) => (job["id"] = "other"),
      (job) => (job["task"] = "other"),
    ] satisfies NonNullable<typeof write>[]) {
      write = wrong;
      isLate = false;
      await expect(queue.enqueue(work.job(1))).rejects.toMatchObject({ code: "TASKQ_OPTION" });
      // By then it has been handed on.
      isLate = true;
      expect(await (await queue.enqueue(work.job(7))).wait()).toBe(7);
    }
    isLate = false;
    write = (job) => (job["headers"]["tenant"] = "open");
    const result = await queue.enqueue(work.job(7));
    expect((await result.info())?.headers).toEqual({ tenant: "open" });
  });

  test("an id or a key that is cut in the middle of a character is refused", async () => {
    const keyed = task("keyed", { unique: { key: (name: string) => name } }, async (_name: string) => {});
    const queue = immediateQueue(make(), { work, keyed });
    const half = "\u{1f600}".slice(0, 1);
    await expect(queue.enqueue(work.job(1), { id: half })).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    await expect(queue.enqueue(keyed.job(half))).rejects.toMatchObject({ code: "TASKQ_OPTION" });
    expect((await queue.enqueue(work.job(1), { id: "\u{1f600}" })).id).toBe("\u{1f600}");
  });

  test("a middleware may cancel a run, and headers reach it and the handler", async () => {
    const asked = task("asked", async (_: void, { headers }) => headers["tenant"]);
    const queue = immediateQueue(make(), { asked });
    queue.use({
      run({ headers }, next) {
        if (headers["tenant"] === "closed") throw new Cancel("the tenant is closed");
        return next();
      },
    });
    const open = await queue.enqueue(asked.job(), { headers: { tenant: "open" } });
    expect(await open.wait()).toBe("open");
    const closed = await queue.enqueue(asked.job(), { headers: { tenant: "closed" } });
    expect(await closed.peek()).toEqual({ state: "cancelled", reason: "the tenant is closed" });
  });

  test("an active job is listed with its attempt while it runs", async () => {
    const seen: unknown[] = [];
    const watched = task("watched", async ({ id }: { id: string }) => {
      for await (const info of queue.jobs({ state: "active" })) seen.push([info.id === id, info.attempt]);
      seen.push((await queue.counts()).active);
    });
    const queue = immediateQueue(make(), { watched });
    await queue.enqueue(watched.job({ id: "one" }), { id: "one" });
    expect(seen).toEqual([[true, 1], 1]);
  });
});
