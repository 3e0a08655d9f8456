import assert from "node:assert/strict";
import { KEPT_AT_LEAST } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { RETENTION, type Context } from "../context.js";
import { chain, onError } from "../flows.js";
import { move } from "../moving.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

/** Purges until nothing more is to be removed. */
async function purge(context: Context, everything = false): Promise<number> {
  let total = 0;
  for (;;) {
    const { removed, more } = await context.storage.purge({
      queue: context.queue,
      limit: 4,
      everything,
      now: context.now,
    });
    total += removed;
    if (!more) return total;
    assert.ok(total < 1_000, "purging does not end");
  }
}

export const purging: Subject = subject("purge", [
  promise("final jobs are purged once their retention has passed", async (context) => {
    await context.open(context.queue, {
      completed: { for: 1_000, max: 1_000 },
      failed: { for: 5_000, max: 1_000 },
    });
    const [completed, failed, waiting] = context.jobs(3);
    const kept = context.job({ keep: { completed: 3_000, failed: undefined } });
    const dropped = context.job({ keep: { completed: undefined, failed: 500 } });
    await context.enqueue(completed, failed, kept, dropped, waiting);
    for (const { id } of [completed, kept]) await context.runToEnd(id);
    for (const { id } of [failed, dropped]) await context.runToFailure(id);
    const there = async (): Promise<readonly boolean[]> => {
      await purge(context);
      const states = await context.states(completed.id, failed.id, kept.id, dropped.id);
      return states.map((state) => state !== undefined);
    };
    context.advance(499);
    assert.deepEqual(await there(), [true, true, true, true]);
    context.advance(2);
    assert.deepEqual(await there(), [true, true, true, false]);
    context.advance(500);
    assert.deepEqual(await there(), [false, true, true, false]);
    context.advance(2_000);
    assert.deepEqual(await there(), [false, true, false, false]);
    context.advance(2_000);
    assert.deepEqual(await there(), [false, false, false, false]);
    assert.equal(await context.state(waiting.id), "ready");

    // Also once the queue has gone and come back.
    await move(context);
    const again = context.job({ keep: { completed: 500, failed: undefined } });
    await context.enqueue(again);
    await context.runToEnd(again.id);
    context.advance(501);
    await purge(context);
    assert.equal(await context.state(again.id), undefined);
  }),

  promise("a result that an unfinished job depends on is kept", async (context) => {
    await context.open(context.queue, {
      completed: { for: 1_000, max: 1_000 },
      failed: { for: 1_000, max: 1_000 },
    });
    const [first, second, member, open, failed, handler] = context.jobs(6);
    const group = context.group([member, open]);
    await context.enqueue(chain(first, second), group, onError(failed, handler));
    await context.runToEnd(first.id, "result");
    await context.runToEnd(member.id);
    await context.runToFailure(failed.id, "boom");
    context.advance(60_000);
    await purge(context);
    const [source] = (await context.claimOne(second.id)).sources ?? [];
    assert.equal(source?.kind === "job" ? text(source.bytes) : undefined, "result");
    const [error] = (await context.claimOne(handler.id)).sources ?? [];
    assert.equal(error?.kind === "job" ? text(error.bytes) : undefined, "boom");
    assert.equal(await context.state(member.id), "completed");
    await context.runToEnd(open.id);
    assert.equal(await context.state(group.end), "completed");
    context.advance(60_000);
    await purge(context);
    assert.deepEqual(await context.states(member.id, open.id, group.end), [undefined, undefined, undefined]);
    assert.deepEqual(await context.states(first.id, second.id), ["completed", "active"]);
  }),

  promise(
    "what a group yields is kept for as long as the group, where nothing follows it",
    async (context) => {
      await context.open(context.queue, {
        completed: { for: 1_000, max: 1_000 },
        failed: { for: 1_000, max: 1_000 },
      });
      const [early, late, failed, first, second, sum, handler] = context.jobs(7);
      const inner = context.group([early, late]);
      const group = context.group([inner, failed], "settled");
      const followed = context.group([first, second]);
      await context.enqueue(onError(group, handler), chain(followed, sum));
      for (const { id } of [early, first]) await context.runToEnd(id);
      await context.runToFailure(failed.id);
      context.advance(60_000);
      await purge(context);
      for (const { id } of [late, second, sum]) await context.runToEnd(id);
      const there = async (): Promise<readonly boolean[]> => {
        await purge(context);
        const ids = [early.id, late.id, failed.id, inner.end, group.end, first.id];
        return (await context.states(...ids)).map((state) => state !== undefined);
      };
      assert.deepEqual(await there(), [true, true, true, true, true, false]);
      context.advance(900);
      assert.deepEqual(await there(), [true, true, true, true, true, false]);
      context.advance(200);
      assert.deepEqual(await there(), [false, false, false, false, false, false]);

      const brief = context.job({ keep: { completed: 500, failed: undefined } });
      const alone = context.group([brief]);
      await context.enqueue(alone);
      await context.runToEnd(brief.id);
      context.advance(2_000);
      await purge(context);
      assert.deepEqual(await context.states(brief.id, alone.end), [undefined, undefined]);

      await context.open(context.queue, {
        completed: { for: 60_000, max: 1_000 },
        failed: { for: 60_000, max: 1_000 },
      });
      const keep = { completed: 500, failed: undefined, completedMax: 1 };
      const many = context.jobs(4, { keep });
      const whole = context.group(many);
      await context.enqueue(whole);
      for (const { id } of many) await context.runToEnd(id);
      context.advance(KEPT_AT_LEAST + 1);
      await purge(context);
      const ids = [...many.map(({ id }) => id), whole.end];
      assert.ok(
        (await context.states(...ids)).every((state) => state === "completed"),
        "however many are kept",
      );
      context.advance(60_000);
      await purge(context);
      assert.ok((await context.states(...ids)).every((state) => state === undefined));
    },
  ),

  promise("more completed jobs than the queue keeps are purged, the oldest first", async (context) => {
    await context.open(context.queue, {
      completed: { for: RETENTION.completed.for, max: 3 },
      failed: { for: RETENTION.failed.for, max: 2 },
    });
    const jobs = context.jobs(6);
    const failing = context.jobs(4);
    await context.enqueue(...jobs, ...failing);
    for (const { id } of jobs) {
      context.advance(10);
      await context.runToEnd(id);
    }
    for (const { id } of failing) {
      context.advance(10);
      await context.runToFailure(id);
    }
    context.advance(10);
    await purge(context);
    assert.deepEqual(await context.states(...jobs.map(({ id }) => id)), [
      undefined,
      undefined,
      undefined,
      "completed",
      "completed",
      "completed",
    ]);
    assert.deepEqual(await context.states(...failing.map(({ id }) => id)), [
      undefined,
      undefined,
      "failed",
      "failed",
    ]);

    // What is needed stays, and the newest do beside it; once it is not, it goes first.
    const there = async (rows: readonly { readonly id: string }[]): Promise<readonly boolean[]> => {
      await purge(context);
      const states = await context.states(...rows.map(({ id }) => id));
      return states.map((state) => state !== undefined);
    };
    const members = context.jobs(6);
    const later = context.jobs(4);
    const open = context.job();
    await context.enqueue(context.group([...members, open]), ...later);
    for (const { id } of [...members, ...later]) {
      context.advance(10);
      await context.runToEnd(id);
    }
    assert.deepEqual(
      [...(await there(members)), ...(await there(later))],
      [true, true, true, true, true, true, false, true, true, true],
    );
    context.advance(10);
    await context.runToEnd(open.id);
    assert.deepEqual(
      [...(await there(members)), ...(await there([...later, open]))],
      [false, false, false, false, false, false, false, false, true, true, true],
    );
  }),

  promise(
    "what has just ended stays in a queue that keeps few, although it was enqueued long before what goes",
    async (context) => {
      const { completed, failed } = RETENTION;
      await context.open(context.queue, {
        completed: { for: completed.for, max: 2 },
        failed: { for: failed.for, max: 2 },
      });
      const [done, broken] = context.jobs(2);
      await context.enqueue(done, broken);
      context.advance(60_000);
      const others = context.jobs(4);
      const failing = context.jobs(4);
      await context.enqueue(...others, ...failing);
      for (const { id } of [...others, done]) {
        context.advance(10);
        await context.runToEnd(id);
      }
      for (const { id } of [...failing, broken]) {
        context.advance(10);
        await context.runToFailure(id);
      }
      context.advance(10);
      await purge(context);
      assert.deepEqual(await context.states(done.id, broken.id), ["completed", "failed"]);
      const gone = [undefined, undefined, undefined];
      assert.deepEqual(await context.states(...others.map(({ id }) => id)), [...gone, "completed"]);
      assert.deepEqual(await context.states(...failing.map(({ id }) => id)), [...gone, "failed"]);
    },
  ),

  promise(
    "final jobs that are kept for a time of their own count in how many a queue keeps, and go in their turn",
    async (context) => {
      const { completed, failed } = RETENTION;
      await context.open(context.queue, {
        completed: { for: completed.for, max: 3 },
        failed: { for: failed.for, max: 2 },
      });
      const keep = { completed: completed.for * 2, failed: failed.for * 2 };
      const shortly = { completed: 1_000, failed: 1_000 };
      const end = async (run: (id: string) => Promise<unknown>): Promise<readonly string[]> => {
        // Enqueued in the order in which they end: either may be what makes one the oldest.
        const keeps = [keep, undefined, shortly, keep, keep, undefined, keep];
        const jobs = keeps.map((own) => context.job({ keep: own }));
        await context.enqueue(...jobs);
        for (const { id } of jobs) {
          context.advance(10);
          await run(id);
        }
        return jobs.map(({ id }) => id);
      };
      const there = async (ids: readonly string[]): Promise<readonly boolean[]> => {
        const states = await context.states(...ids);
        return states.map((state) => state !== undefined);
      };
      const done = await end((id) => context.runToEnd(id));
      const others = await end((id) => context.runToFailure(id));
      context.advance(10);
      await purge(context);
      assert.deepEqual(await there(done), [false, false, false, false, true, true, true]);
      assert.deepEqual(await there(others), [false, false, false, false, false, true, true]);

      // What comes after them takes their places, one by one.
      for (const job of context.jobs(2)) {
        await context.enqueue(job);
        context.advance(10);
        await context.runToEnd(job.id);
      }
      context.advance(10);
      await purge(context);
      assert.deepEqual((await there(done)).slice(4), [false, false, true]);
      const change = { kind: "retry" } as const;
      const [again = "", last = ""] = others.slice(-2);
      await context.storage.amend({ queue: context.queue, ids: [last], change, now: context.now });
      for (const job of context.jobs(2)) {
        await context.enqueue(job);
        context.advance(10);
        await context.runToFailure(job.id);
      }
      context.advance(10);
      await purge(context);
      assert.deepEqual(await context.states(again, last), [undefined, "ready"]);
    },
  ),

  promise("more final jobs of a task than it keeps are purged, the oldest first", async (context) => {
    const keep = { completed: undefined, failed: undefined, completedMax: 2, failedMax: 1 };
    const capped = context.jobs(5, { task: "capped", keep });
    const failing = context.jobs(3, { task: "capped", keep });
    const plain = context.jobs(3);
    const elsewhere = context.job({ task: "elsewhere", keep });
    await context.enqueue(...capped, ...failing, ...plain, elsewhere);
    // By the instant they ended, not by that of their enqueue.
    for (const { id } of [...plain, elsewhere, ...capped.toReversed()]) {
      context.advance(10);
      await context.runToEnd(id);
    }
    for (const { id } of failing) {
      context.advance(10);
      await context.runToFailure(id);
    }
    const there = async (jobs: readonly { readonly id: string }[]): Promise<readonly boolean[]> => {
      const states = await context.states(...jobs.map(({ id }) => id));
      return states.map((state) => state !== undefined);
    };
    const later = async (): Promise<void> => {
      context.advance(KEPT_AT_LEAST);
      await purge(context);
    };
    await purge(context);
    assert.deepEqual(
      await there([...failing, at(capped, 0)]),
      [true, true, true, true],
      "they have just ended",
    );
    await later();
    assert.deepEqual(await there(capped), [true, true, false, false, false]);
    assert.deepEqual(await there(failing), [false, false, true]);
    assert.deepEqual(await there([...plain, elsewhere]), [true, true, true, true]);

    // One that is run again counts no more, until it has ended anew.
    const [, , last] = failing;
    const change = { kind: "retry" } as const;
    await context.storage.amend({ queue: context.queue, ids: [last.id], change, now: context.now });
    const again = context.job({ task: "capped", keep });
    await context.enqueue(again);
    await context.runToFailure(again.id);
    await later();
    assert.deepEqual(await context.states(last.id, again.id), ["ready", "failed"]);
    await context.runToEnd(last.id);
    await later();
    assert.deepEqual(await there([...capped, last, again]), [true, false, false, false, false, true, true]);

    // What is needed stays, and the newest do beside it.
    const members = context.jobs(4, { task: "member", keep });
    const open = context.job();
    const group = context.group([...members, open]);
    await context.enqueue(group);
    for (const { id } of members) {
      context.advance(10);
      await context.runToEnd(id);
    }
    await later();
    assert.deepEqual(await there(members), [true, true, true, true]);
    const beside = context.jobs(3, { task: "member", keep });
    await context.enqueue(...beside);
    for (const { id } of beside) {
      context.advance(10);
      await context.runToEnd(id);
    }
    await later();
    assert.deepEqual(await there([...members, ...beside]), [true, true, true, true, false, true, true]);
    await context.runToEnd(open.id);
    await later();
    assert.deepEqual(await there([...members, ...beside]), [false, false, false, false, false, true, true]);
    const less = context.job({ task: "member", keep: { ...keep, completedMax: 0 } });
    await context.enqueue(less);
    await context.runToEnd(less.id);
    await later();
    assert.deepEqual(await there([...beside, less]), [false, false, false, false]);
  }),

  promise(
    "a flush removes every job, value and result of the queue and leaves others alone",
    async (context) => {
      const spared = context.job();
      await context.enqueue(spared);
      const first = context.queue;
      await context.open("flushed");
      const [done, running, blocked, ...waiting] = context.jobs(9);
      const group = context.group(waiting);
      await context.enqueue(chain(done, blocked), running, context.job({ delay: 5_000 }), group);
      await context.runToEnd(done.id, "result");
      const run = await context.claimOne(running.id);
      await context.storage.values({
        queue: context.queue,
        operation: "set",
        operations: [{ kind: "set", key: "a", bytes: new Uint8Array([1]), expiresAt: undefined }],
        now: context.now,
      });
      assert.ok((await purge(context, true)) >= 10);
      const { storage, queue, now } = context;
      assert.deepEqual((await storage.list({ queue, limit: 100, now })).records, []);
      assert.deepEqual(await context.states(done.id, running.id, group.end), [
        undefined,
        undefined,
        undefined,
      ]);
      const values = await storage.values({
        queue,
        operation: "get",
        operations: [{ kind: "get", key: "a" }],
        now,
      });
      assert.deepEqual(values, [{ kind: "none" }]);
      assert.equal(await context.complete(run), "lost");
      assert.deepEqual(await context.claim({ n: 5 }), []);
      const fresh = context.job();
      await context.enqueue(fresh);
      const again = await context.claimOne();
      assert.equal(again.id, fresh.id);
      assert.ok(again.fence > run.fence, "fences start again");
      context.queue = first;
      assert.equal(await context.state(spared.id), "ready");
    },
  ),

  promise("a flush leaves schedules, pauses, revoked tasks and locks", async (context) => {
    const { storage, queue } = context;
    const inspected = async (): Promise<unknown> => {
      const { now } = context;
      const inspect = { kind: "inspect" } as const;
      return {
        schedules: (await storage.schedules({ queue, now })).schedules,
        queue: await storage.control({ queue, now, task: undefined, change: inspect }),
        paused: await storage.control({ queue, now, task: "paused", change: inspect }),
        revoked: await storage.control({ queue, now, task: "revoked", change: inspect }),
        lock: (await context.keys({ kind: "inspect", name: "door" })).holders.map(({ owner }) => owner),
      };
    };
    const schedule = { kind: "upsert", name: "s", origin: "stored", task: "work" } as const;
    await storage.schedules({ queue, change: { ...schedule, bytes: bytes("every day") }, now: context.now });
    for (const task of ["paused", undefined]) {
      await storage.control({ queue, task, change: { kind: "pause" }, now: context.now });
    }
    const revoke = { kind: "revoke", once: false, until: undefined } as const;
    await storage.control({ queue, task: "revoked", change: revoke, now: context.now });
    const lock = { name: "door", ticket: "t", owner: "o", max: 1, ttl: 60_000, wait: undefined };
    assert.equal((await context.keys({ kind: "acquire", ...lock })).status, "held");
    await context.enqueue(...context.jobs(3));
    const before = await inspected();
    assert.equal(await purge(context, true), 3);
    assert.deepEqual(await inspected(), before);
    assert.equal((await context.keys({ kind: "acquire", ...lock, ticket: "u" })).status, "busy");
  }),
]);
