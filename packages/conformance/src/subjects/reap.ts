import assert from "node:assert/strict";
import { MAX_CRASHES } from "@taskq/core/storage";
import { LEASE } from "../context.js";
import { chain, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { crash, loseLease, reap } from "./leases.js";

const LOCK = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;

const LIMIT = { kind: "limit", key: "api", max: 2, per: 1_000, onBusy: "wait" } as const;

export const reaping: Subject = subject("reap", [
  promise(
    "a run whose lease is over is suspect first and taken half a lease later, by any process",
    async (context) => {
      const [job, other] = context.jobs(2);
      await context.enqueue(job, other);
      const run = await context.claimOne(job.id);
      await context.claimOne(other.id, { owner: "owner-2", lease: 2 * LEASE });
      const second = await context.second();
      context.advance(LEASE - 1);
      assert.deepEqual((await reap(context)).reaped, []);
      context.advance(2);
      const suspect = await reap(context);
      assert.deepEqual(suspect.reaped, []);
      assert.ok(
        suspect.nextAt !== undefined && suspect.nextAt <= context.now + LEASE / 2,
        "nobody looks again",
      );
      context.advance(LEASE / 2 - 1);
      assert.deepEqual((await reap(context, second)).reaped, []);
      assert.equal(await context.state(job.id), "active");
      context.advance(1);
      const taken = await reap(context, second);
      assert.equal(taken.reaped.length, 1);
      const [reaped] = taken.reaped;
      assert.deepEqual(
        { ...reaped, state: undefined },
        { id: job.id, fence: run.fence, task: job.task, attempt: 1, begun: true, state: undefined },
      );
      assert.equal(await context.complete(run), "lost");
      context.advance(LEASE / 2);
      assert.deepEqual((await reap(context)).reaped, [], "suspect with another one");
      assert.equal(await context.state(other.id), "active");
    },
  ),

  promise("however many leases are over, each is suspect at once", async (context) => {
    const jobs = context.jobs(2_500);
    await context.enqueue(...jobs);
    for (let left = jobs.length; left > 0;) {
      const { length } = await context.claim({ n: Math.min(left, 500) });
      assert.ok(length > 0, "not all were claimed");
      left -= length;
    }
    context.advance(LEASE + 1);
    assert.deepEqual((await reap(context)).reaped, []);
    context.advance(LEASE / 2);
    const taken = new Set<string>();
    for (let isOver = false; !isOver;) {
      const { reaped } = await reap(context);
      for (const { id } of reaped) {
        assert.ok(!taken.has(id), "taken twice");
        taken.add(id);
      }
      isOver = reaped.length === 0 || taken.size > jobs.length;
    }
    assert.equal(taken.size, jobs.length);
  }),

  promise("runs that are reaped together end in the order in which they were claimed", async (context) => {
    const delivery = "at-most-once";
    const [first, second] = [context.job({ delivery, priority: -1 }), context.job({ delivery, priority: 1 })];
    const last = context.job({ delivery, priority: 2 });
    const group = context.group([first, last, second]);
    await context.enqueue(group);
    await context.claimOne(second.id);
    assert.deepEqual(
      (await context.claim({ n: 2 })).map(({ id }) => id),
      [last.id, first.id],
    );
    context.advance(LEASE + 1);
    await reap(context);
    context.advance(LEASE / 2);
    const { reaped } = await reap(context);
    assert.deepEqual(
      reaped.map(({ id }) => id),
      [second.id, last.id, first.id],
    );
    const [record] = await context.storage.read({ queue: context.queue, ids: [group.end], now: context.now });
    assert.equal(record?.cause, second.id);
  }),

  promise("a reaped run that had begun counts as a crash, an unbegun one does not", async (context) => {
    const [begun, ahead, startedLater] = context.jobs(3);
    await context.enqueue(begun, ahead, startedLater);
    const runs = await context.claim({ n: 1, ahead: 2 });
    assert.deepEqual(
      runs.map((run) => run.begun),
      [true, false, false],
    );
    await context.step({ begun: [{ id: startedLater.id, fence: runs[2]!.fence }] });
    const { reaped } = await loseLease(context);
    assert.equal(reaped.length, 3);
    for (const { id } of [begun, startedLater]) {
      const record = await context.jobRecord(id);
      assert.equal(record.crashes, 1);
      assert.equal(record.failures, 0);
      assert.equal(record.attempt, 1);
      assert.equal(record.detail?.attempts.length, 1);
      assert.equal(record.detail?.attempts[0]?.error, undefined);
    }
    const unbegun = await context.jobRecord(ahead.id);
    assert.equal(unbegun.crashes, 0);
    assert.equal(unbegun.attempt, 0);
    assert.equal(unbegun.state, "ready");
    assert.deepEqual(unbegun.detail?.attempts, []);
  }),

  promise("a reaped job is ready again within its crashes times the lease", async (context) => {
    const jobs = context.jobs(20);
    await context.enqueue(...jobs);
    for (let crashes = 1; crashes <= 2; crashes += 1) {
      assert.equal((await context.claim({ n: 20 })).length, 20);
      assert.equal((await loseLease(context)).reaped.length, 20);
      const instants = new Set<number>();
      for (const { id } of jobs) {
        const { due, state } = await context.jobRecord(id);
        assert.ok(due >= context.now, "due in the past");
        assert.ok(due <= context.now + crashes * LEASE, "due later than its crashes times the lease");
        assert.ok(state === (due > context.now ? "scheduled" : "ready"), `${state}, due at ${due}`);
        instants.add(due);
      }
      assert.ok(instants.size > 1, "neighbours do not part");
      context.advance(crashes * LEASE);
    }
    assert.equal((await context.claim({ n: 20 })).length, 20);
  }),

  promise(
    "a job over the crash budget ends failed with reason crashed, and its edges with it",
    async (context) => {
      const [poison, next, handler] = [context.job(), context.job(), context.job({ task: "alert" })];
      await context.enqueue(onError(chain(poison, next), handler));
      for (let crashes = 1; crashes <= MAX_CRASHES; crashes += 1) {
        await crash(context, poison.id);
        assert.equal((await context.jobRecord(poison.id)).crashes, crashes);
      }
      const answer = await crash(context, poison.id);
      assert.equal(answer.reaped[0]?.state, "failed");
      const record = await context.jobRecord(poison.id);
      assert.equal(record.state, "failed");
      assert.equal(record.reason, "crashed");
      assert.equal(record.bytes, undefined);
      const skipped = await context.jobRecord(next.id);
      assert.equal(skipped.state, "skipped");
      assert.equal(skipped.cause, poison.id);
      const [source] = (await context.claimOne(handler.id)).sources ?? [];
      assert.equal(source?.id, poison.id);
      assert.equal(source?.state, "failed");
    },
  ),

  promise("a reaped at-most-once job ends failed and never runs again", async (context) => {
    const once = context.job({ delivery: "at-most-once" });
    const next = context.job();
    await context.enqueue(chain(once, next));
    await context.claimOne(once.id);
    const { reaped } = await loseLease(context);
    assert.equal(reaped[0]?.state, "failed");
    const record = await context.jobRecord(once.id);
    assert.equal(record.state, "failed");
    assert.equal(record.reason, "interrupted");
    assert.equal(await context.state(next.id), "skipped");
    context.advance(10 * LEASE);
    assert.deepEqual(await context.claim({ n: 5 }), []);
  }),

  promise("a revoked run that is reaped ends cancelled, and its edges with it", async (context) => {
    const [first, next] = context.jobs(2);
    await context.enqueue(chain(first, next));
    const run = await context.claimOne(first.id);
    await context.storage.amend({
      queue: context.queue,
      ids: [first.id],
      change: { kind: "revoke", scope: "later" },
      now: context.now,
    });
    const { reaped } = await loseLease(context);
    assert.deepEqual(
      reaped.map(({ id, state }) => [id, state]),
      [[first.id, "cancelled"]],
    );
    const record = await context.jobRecord(first.id);
    assert.deepEqual([record.state, record.reason], ["cancelled", "revoked"]);
    const skipped = await context.jobRecord(next.id);
    assert.deepEqual([skipped.state, skipped.cause], ["skipped", first.id]);
    assert.equal(await context.complete(run), "lost");
  }),

  promise("an unbegun reaped job is not claimed ahead again", async (context) => {
    const [first, ahead] = context.jobs(2);
    await context.enqueue(first, ahead);
    await context.claim({ n: 1, ahead: 1 });
    await loseLease(context);
    context.advance(LEASE);
    const front = context.job({ priority: 9 });
    const fresh = context.job({ priority: -9 });
    await context.enqueue(front, fresh);
    const claimed = await context.claim({ n: 1, ahead: 5 });
    assert.deepEqual(
      claimed.map(({ id, begun }) => [id, begun]),
      [
        [front.id, true],
        [fresh.id, false],
      ],
    );
    assert.equal((await context.claimOne(ahead.id)).begun, true);
  }),

  promise("a lease further ahead than its own length counts as over", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    await context.claimOne(job.id);
    context.advance(-3_600_000);
    assert.deepEqual((await reap(context)).reaped, []);
    context.advance(LEASE / 2);
    const { reaped } = await reap(context);
    assert.equal(reaped.length, 1);
  }),

  promise(
    "a run that was suspect before the clock was set back is taken half a lease later",
    async (context) => {
      const job = context.job();
      await context.enqueue(job);
      await context.claimOne(job.id);
      context.advance(LEASE + 1);
      assert.deepEqual((await reap(context)).reaped, []);
      context.advance(-3_600_000);
      const { reaped, nextAt } = await reap(context);
      assert.deepEqual(reaped, []);
      assert.ok(nextAt !== undefined && nextAt <= context.now + LEASE / 2, "nobody looks again");
      context.advance(LEASE / 2);
      assert.equal((await reap(context)).reaped.length, 1);
    },
  ),

  promise("the gates of a reaped run are free", async (context) => {
    const [holder, waiting] = context.jobs(2, { gates: [LOCK] });
    await context.enqueue(holder, waiting);
    await context.claimOne(holder.id);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    await loseLease(context);
    const run = await context.claimOne();
    assert.equal(run.id, waiting.id);
    context.advance(LEASE);
    assert.deepEqual(await context.claim({ n: 5 }), [], "the lock is held by two");
  }),

  promise(
    "the line of a limit goes on after the clock was set back, also if nobody comes",
    async (context) => {
      await context.enqueue(...context.jobs(6, { gates: [LIMIT] }));
      for (const place of ["begun", "in line", "last"]) {
        assert.equal((await context.claim({ n: 9 })).length, 2, place);
        assert.deepEqual(await context.claim({ n: 9 }), [], "more than the limit allows");
        context.advance(-3_600_000);
        await reap(context);
      }
    },
  ),
]);
