import assert from "node:assert/strict";
import type { ClaimedJob, SettledOutcome } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { LEASE, OWNER } from "../context.js";
import { after, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at, exactly } from "../tuple.js";
import { reap } from "./leases.js";

export const ending: Subject = subject("step: outcomes", [
  promise("a retry is due when it says, and counts as a failure only if it says so", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const first = await context.claimOne(job.id);
    const due = context.now + 1_000;
    await context.settle(first, { kind: "retry", error: bytes("one"), due, counts: true });
    const waiting = await context.jobRecord(job.id);
    assert.deepEqual(
      [waiting.state, waiting.due, waiting.failures, waiting.attempt],
      ["scheduled", due, 1, 1],
    );
    context.now = due - 1;
    assert.deepEqual(await context.claim(), []);
    context.now = due;
    const second = await context.claimOne(job.id);
    assert.deepEqual([second.attempt, second.failures, second.crashes, second.due], [2, 1, 0, due]);
    await context.settle(second, { kind: "retry", error: bytes("two"), due: context.now, counts: false });
    const ready = await context.jobRecord(job.id);
    assert.deepEqual([ready.state, ready.failures, ready.attempt], ["ready", 1, 2]);
    const third = await context.claimOne(job.id);
    assert.deepEqual([third.attempt, third.failures], [3, 1]);
    assert.ok(first.fence < second.fence && second.fence < third.fence);
  }),

  promise("a failed attempt stays on the job with its error", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const runs: ClaimedJob[] = [];
    const start = context.now;
    for (const error of ["one", "two", "three"]) {
      const run = await context.claimOne(job.id);
      runs.push(run);
      const startedAt = context.now;
      context.advance(5);
      const retry: SettledOutcome = { kind: "retry", error: bytes(error), due: context.now, counts: true };
      const outcome: SettledOutcome = error === "three" ? { kind: "failed", error: bytes(error) } : retry;
      assert.equal(await context.settle(run, outcome, { startedAt }), "applied");
    }
    const record = await context.jobRecord(job.id);
    assert.deepEqual([record.state, text(record.bytes)], ["failed", "three"]);
    assert.deepEqual(
      record.detail?.attempts.map(({ error, ...attempt }) => ({ ...attempt, error: text(error) })),
      ["one", "two", "three"].map((error, index) => ({
        attempt: index + 1,
        fence: at(runs, index).fence,
        owner: OWNER,
        startedAt: start + index * 5,
        endedAt: start + index * 5 + 5,
        error,
      })),
    );
  }),

  promise("an unbegun run given back leaves attempt, failures and crashes as they were", async (context) => {
    const [job, behind] = context.jobs(2);
    await context.enqueue(job, behind);
    const [ahead] = exactly(await context.claim({ n: 0, ahead: 1 }), 1);
    assert.equal(await context.settle(ahead, { kind: "released" }), "applied");
    const fresh = await context.jobRecord(job.id);
    assert.deepEqual([fresh.state, fresh.attempt, fresh.failures, fresh.crashes], ["ready", 0, 0, 0]);
    const run = await context.claimOne();
    assert.deepEqual([run.id, run.attempt], [job.id, 1], "it has its place in the line again");
    await context.settle(run, { kind: "retry", error: bytes("boom"), due: context.now, counts: true });
    const again = await context.claimOne(job.id);
    await context.settle(again, { kind: "released" });
    const third = await context.jobRecord(job.id);
    assert.deepEqual([third.state, third.attempt, third.failures, third.crashes], ["ready", 1, 1, 0]);
    assert.equal(third.detail?.attempts.length, 1);
  }),

  promise("a postponed run is claimed again from its instant", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const due = context.now + 700;
    const run = await context.claimOne(job.id);
    assert.equal(await context.settle(run, { kind: "postponed", due }), "applied");
    const record = await context.jobRecord(job.id);
    assert.deepEqual([record.state, record.attempt, record.failures], ["scheduled", 0, 0]);
    context.now = due - 1;
    const early = await context.claimStep();
    assert.deepEqual([early.claimed, early.nextDue], [[], due]);
    context.now = due;
    const again = await context.claimOne(job.id);
    assert.deepEqual([again.attempt, again.failures], [1, 0]);
  }),

  promise("an interrupted run is ready at once and uses up no retry", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const run = await context.claimOne(job.id);
    assert.equal(await context.settle(run, { kind: "interrupted" }), "applied");
    const record = await context.jobRecord(job.id);
    assert.deepEqual([record.state, record.failures, record.crashes], ["ready", 0, 0]);
    assert.deepEqual(
      record.detail?.attempts.map(({ attempt, fence, error }) => [attempt, fence, error]),
      [[1, run.fence, undefined]],
    );
    const again = await context.claimOne(job.id);
    assert.deepEqual([again.attempt, again.failures, again.crashes], [2, 0, 0]);
  }),

  promise("a run given back is ready, also when the clock was set back since its claim", async (context) => {
    const outcomes: SettledOutcome[] = [
      { kind: "interrupted" },
      { kind: "released" },
      { kind: "keyed", body: bytes("with keys"), gates: undefined, unique: undefined },
    ];
    for (const outcome of outcomes) {
      const job = context.job();
      await context.enqueue(job);
      const run = await context.claimOne(job.id);
      context.advance(-3_600_000);
      assert.equal(await context.settle(run, outcome), "applied");
      assert.equal(await context.state(job.id), "ready", outcome.kind);
      await context.runToEnd(job.id);
    }
    const [begun, ahead] = context.jobs(2);
    await context.enqueue(begun, ahead);
    await context.claim({ n: 1, ahead: 1 });
    context.advance(-3_600_000);
    assert.deepEqual((await reap(context)).reaped, []);
    context.advance(LEASE / 2);
    assert.equal((await reap(context)).reaped.length, 2);
    assert.equal(await context.state(ahead.id), "ready", "reaped unbegun");
  }),

  promise("an interrupted run of an at-most-once job ends failed", async (context) => {
    const job = context.job({ delivery: "at-most-once" });
    const [follower, handler] = context.jobs(2);
    await context.enqueue({
      end: follower.id,
      joins: [],
      jobs: [job, after(follower, [job.id]), after(handler, [follower.id], "failed")],
    });
    const run = await context.claimOne(job.id);
    assert.equal(await context.settle(run, { kind: "interrupted" }), "applied");
    const record = await context.jobRecord(job.id);
    assert.deepEqual([record.state, record.reason, record.bytes], ["failed", "interrupted", undefined]);
    assert.deepEqual(await context.states(follower.id, handler.id), ["skipped", "ready"]);
    const rest = await context.claim({ n: 5 });
    assert.deepEqual(
      rest.map(({ id }) => id),
      [handler.id],
    );
  }),

  promise(
    "a run settled as cancelled, expired, skipped or quarantined is final in that state",
    async (context) => {
      const outcomes: SettledOutcome[] = [
        { kind: "cancelled", reason: "asked for" },
        { kind: "expired" },
        { kind: "skipped", reason: "no slot" },
        { kind: "quarantined", error: bytes("unreadable") },
      ];
      for (const outcome of outcomes) {
        const [job, follower, handler] = context.jobs(3);
        await context.enqueue(
          onError({ end: follower.id, joins: [], jobs: [job, after(follower, [job.id])] }, handler),
        );
        const run = await context.claimOne(job.id);
        assert.equal(await context.settle(run, outcome), "applied");
        const record = await context.jobRecord(job.id);
        assert.equal(record.state, outcome.kind);
        if ("reason" in outcome) assert.equal(record.reason, outcome.reason);
        assert.equal(text(record.bytes), outcome.kind === "quarantined" ? "unreadable" : undefined);
        assert.equal(record.finishedAt, context.now);
        const handled = outcome.kind === "quarantined" ? "ready" : "skipped";
        assert.deepEqual(await context.states(follower.id, handler.id), ["skipped", handled]);
        assert.equal((await context.jobRecord(follower.id)).cause, job.id);
        if (handled === "ready") await context.runToEnd(handler.id);
        context.advance(100_000);
        assert.deepEqual(await context.claim({ n: 5 }), []);

        // So is one that was claimed ahead, and never began.
        const unbegun = context.job();
        await context.enqueue(unbegun);
        const [ahead] = await context.claim({ n: 0, ahead: 1 });
        assert.equal(ahead?.id, unbegun.id);
        assert.equal(await context.settle(ahead, outcome), "applied");
        const { state, startedAt, finishedAt } = await context.jobRecord(unbegun.id);
        assert.deepEqual([state, startedAt, finishedAt], [outcome.kind, undefined, context.now]);
        assert.equal(await context.settle(ahead, outcome), "repeated");
      }
      const counts = await context.storage.counts({ queue: context.queue, now: context.now });
      const { cancelled, expired, quarantined, active } = counts["*"] ?? {};
      assert.deepEqual([cancelled, expired, quarantined, active], [2, 2, 2, 0]);
    },
  ),
]);
