import assert from "node:assert/strict";
import type { AmendAnswer, AmendRequest } from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import { LEASE, OWNER, type Context } from "../context.js";
import { after, chain, follow, onError } from "../flows.js";
import { promise, subject, type ContractPromise, type Subject } from "../promise.js";

function amend(
  context: Context,
  change: AmendRequest["change"],
  ...ids: readonly string[]
): Promise<AmendAnswer> {
  return context.storage.amend({ queue: context.queue, ids, change, now: context.now });
}

const REVOKE_FLOW = { kind: "revoke", scope: "flow" } as const;
const REVOKE_LATER = { kind: "revoke", scope: "later" } as const;
const RESTORE_FLOW = { kind: "restore", scope: "flow" } as const;
const RESTORE_LATER = { kind: "restore", scope: "later" } as const;
const RETRY = { kind: "retry" } as const;

const revoking: readonly ContractPromise[] = [
  promise("revoking a waiting job cancels it with reason revoked, and its edges with it", async (context) => {
    const [first, next, handler] = [context.job(), context.job(), context.job()];
    const later = context.job({ delay: 60_000 });
    await context.enqueue(onError(chain(first, next), handler), later);
    const answer = await amend(context, REVOKE_LATER, first.id, later.id);
    assert.deepEqual(answer.changed.toSorted(), [first.id, later.id].toSorted());
    for (const id of [first.id, later.id]) {
      const record = await context.jobRecord(id);
      assert.equal(record.state, "cancelled");
      assert.equal(record.reason, "revoked");
    }
    const skipped = await context.jobRecord(next.id);
    assert.equal(skipped.state, "skipped");
    assert.equal(skipped.cause, first.id);
    assert.equal(await context.state(handler.id), "skipped");
    assert.deepEqual((await amend(context, REVOKE_LATER, first.id)).changed, []);
    context.advance(60_000);
    assert.deepEqual(await context.claim({ n: 5 }), []);
  }),

  promise("revoking an active job tells its owner at the next step or renewal", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const { id, fence } = await context.claimOne(job.id);
    const answer = await amend(context, REVOKE_FLOW, job.id);
    assert.deepEqual(answer.changed, [job.id]);
    assert.equal(await context.state(job.id), "active");
    assert.deepEqual((await context.step()).revoked, [{ id, fence }]);
    assert.deepEqual((await context.step({ owner: "owner-2" })).revoked, []);
    const renewed = await context.storage.renew({
      queue: context.queue,
      owner: OWNER,
      lease: LEASE,
      runs: [{ id, fence }],
      now: context.now,
    });
    assert.deepEqual(renewed.revoked, [{ id, fence }]);
    assert.equal(await context.settle({ id, fence }, { kind: "cancelled", reason: "revoked" }), "applied");
    assert.equal(await context.state(job.id), "cancelled");
    assert.deepEqual((await context.step()).revoked, []);
  }),

  promise("revoking a flow cancels every unfinished job of it", async (context) => {
    const [done, running, waiting, last] = context.jobs(4);
    const group = context.group([chain(done, last), running, waiting]);
    const callback = context.job();
    await context.enqueue(follow(group, callback));
    const stranger = context.job();
    await context.enqueue(stranger);
    await context.runToEnd(done.id);
    const run = await context.claimOne(running.id);
    await amend(context, REVOKE_FLOW, callback.id);
    assert.deepEqual(await context.states(waiting.id, last.id, callback.id), [
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
    assert.equal((await context.jobRecord(last.id)).reason, "revoked");
    assert.deepEqual(await context.states(done.id, running.id, stranger.id), [
      "completed",
      "active",
      "ready",
    ]);
    assert.deepEqual(
      (await context.step()).revoked.map(({ id }) => id),
      [running.id],
    );
    await context.settle(run, { kind: "cancelled", reason: "revoked" });
    const [one, other] = context.jobs(2);
    const pair = context.group([one, other]);
    await context.enqueue(pair);
    await amend(context, REVOKE_FLOW, pair.end);
    assert.deepEqual(await context.states(one.id, other.id), ["cancelled", "cancelled"]);
    await revokeBehindItsEnd(context);
  }),

  promise("revoking a stage cancels it and the later ones", async (context) => {
    const [first, second, third] = context.jobs(3);
    await context.enqueue(chain(first, second, third));
    await amend(context, REVOKE_LATER, second.id);
    assert.deepEqual(await context.states(first.id, second.id, third.id), ["ready", "cancelled", "skipped"]);
    assert.equal((await context.jobRecord(third.id)).cause, second.id);
    await context.runToEnd(first.id);
    assert.equal(await context.state(second.id), "cancelled");
  }),
];

/** The end of a flow may be final while a job of it runs. */
async function revokeBehindItsEnd(context: Context): Promise<void> {
  const [failing, running, callback] = context.jobs(3);
  await context.enqueue(follow(context.group([failing, running]), callback));
  const run = await context.claimOne(running.id);
  await context.runToFailure(failing.id);
  assert.deepEqual(await context.states(running.id, callback.id), ["active", "skipped"]);
  assert.deepEqual((await amend(context, REVOKE_FLOW, callback.id)).changed, [callback.id]);
  assert.deepEqual((await context.step()).revoked, [{ id: run.id, fence: run.fence }]);
  await context.settle(run, { kind: "cancelled", reason: "revoked" });
  assert.deepEqual((await amend(context, REVOKE_FLOW, callback.id)).changed, []);
}

const restoring: readonly ContractPromise[] = [
  promise("restoring takes a revoke back, and skipped followers return to blocked", async (context) => {
    const [first, second, third] = context.jobs(3);
    const later = context.job({ delay: 60_000 });
    await context.enqueue(chain(first, second, third), later);
    await amend(context, REVOKE_LATER, first.id, later.id);
    const answer = await amend(context, RESTORE_LATER, first.id, later.id);
    assert.deepEqual(answer.changed.toSorted(), [first.id, later.id].toSorted());
    assert.deepEqual(await context.states(first.id, second.id, third.id, later.id), [
      "ready",
      "blocked",
      "blocked",
      "scheduled",
    ]);
    const record = await context.jobRecord(first.id);
    assert.equal(record.reason, undefined);
    assert.equal(record.finishedAt, undefined);
    for (const { id } of [first, second, third]) await context.runToEnd(id);
    const alone = context.job();
    await context.enqueue(alone);
    assert.deepEqual((await amend(context, RESTORE_LATER, alone.id)).changed, []);
    const [revoked, last] = context.jobs(2);
    await context.enqueue(chain(revoked, last));
    await amend(context, REVOKE_LATER, revoked.id);
    assert.deepEqual((await amend(context, RESTORE_FLOW, last.id)).changed, [last.id]);
    assert.deepEqual(await context.states(revoked.id, last.id), ["ready", "blocked"]);
    assert.deepEqual((await amend(context, RESTORE_FLOW, last.id)).changed, []);
    const back = context.job();
    await context.enqueue(back);
    const run = await context.claimOne(back.id);
    await amend(context, REVOKE_LATER, back.id);
    assert.equal(await context.settle(run, { kind: "released" }), "applied");
    assert.deepEqual((await amend(context, RESTORE_LATER, back.id)).changed, [back.id]);
    const next = await context.claimOne(back.id);
    assert.equal(await context.settle(run, { kind: "released" }), "repeated", "this fence has settled");
    assert.equal(await context.complete(next), "applied");
  }),

  promise(
    "a job that has run, or whose join or error handler went on, is not restorable",
    async (context) => {
      const hasRun = context.job();
      await context.enqueue(hasRun);
      const run = await context.claimOne(hasRun.id);
      const retry = { kind: "retry", error: bytes("boom"), due: context.now + 1_000, counts: true } as const;
      await context.settle(run, retry);
      await amend(context, REVOKE_LATER, hasRun.id);
      await mustNotRestore(context, hasRun.id);
      const [member, other] = context.jobs(2);
      const group = context.group([member, other], "settled");
      await context.enqueue(group);
      await amend(context, REVOKE_LATER, member.id);
      await context.runToEnd(other.id);
      await context.rejects("TASKQ_NOT_RESTORABLE", () => amend(context, RESTORE_LATER, member.id));
      assert.equal(await context.state(member.id), "cancelled");
      const [source, follower] = context.jobs(2);
      await context.enqueue(source, after(follower, [source.id], "settled"));
      await amend(context, REVOKE_LATER, source.id);
      await context.claimOne(follower.id);
      await context.rejects("TASKQ_NOT_RESTORABLE", () => amend(context, RESTORE_LATER, source.id));
      assert.equal(await context.state(source.id), "cancelled");
    },
  ),
];

/** Refused with the code for it, or left as it is. */
async function mustNotRestore(context: Context, id: string): Promise<void> {
  try {
    assert.deepEqual((await amend(context, RESTORE_LATER, id)).changed, []);
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "TASKQ_NOT_RESTORABLE");
  }
  assert.equal(await context.state(id), "cancelled");
}

const rescheduling: readonly ContractPromise[] = [
  promise("rescheduling moves a waiting job in place", async (context) => {
    const [job, first, blocked] = [context.job(), context.job({ task: "other" }), context.job()];
    await context.enqueue(job, chain(first, blocked));
    const due = context.now + 5_000;
    const answer = await amend(context, { kind: "reschedule", due }, job.id, blocked.id);
    assert.deepEqual(answer.changed.toSorted(), [job.id, blocked.id].toSorted());
    assert.deepEqual(await context.states(job.id, blocked.id), ["scheduled", "blocked"]);
    assert.equal((await context.jobRecord(job.id)).due, due);
    assert.deepEqual(await context.claim({ n: 5, tasks: ["work"] }), []);
    await context.runToEnd(first.id);
    assert.equal(await context.state(blocked.id), "scheduled");
    context.advance(4_000);
    await amend(context, { kind: "reschedule", due: context.now }, blocked.id);
    assert.equal((await context.claimOne()).id, blocked.id);
    context.advance(1_000);
    assert.equal((await context.claimOne()).id, job.id);

    const unique = { key: "one", until: "final", onConflict: "ignore" } as const;
    const [holder, before, behind] = [context.job({ unique }), context.job(), context.job({ unique })];
    await context.enqueue(holder, chain(before, behind));
    await context.runToEnd(before.id);
    const late = { kind: "reschedule", due: context.now + 5_000 } as const;
    assert.deepEqual((await amend(context, late, behind.id)).changed, [behind.id]);
    assert.equal(await context.state(behind.id), "parked", "it waits for its key, whatever its due");
    await context.runToEnd(holder.id);
    assert.equal(await context.state(behind.id), "scheduled");
    context.advance(5_000);
    await context.runToEnd(behind.id);
  }),

  promise("rescheduling refuses an active or final job", async (context) => {
    const [active, final] = context.jobs(2);
    await context.enqueue(active, final);
    await context.runToEnd(final.id);
    const run = await context.claimOne(active.id);
    const change = { kind: "reschedule", due: context.now + 5_000 } as const;
    assert.deepEqual((await amend(context, change, active.id, final.id)).changed, []);
    assert.deepEqual(await context.states(active.id, final.id), ["active", "completed"]);
    assert.equal(await context.complete(run), "applied");
  }),
];

const retrying: readonly ContractPromise[] = [
  promise("retrying by hand makes a failed job ready with its counters reset", async (context) => {
    const [failed, quarantined, waiting] = context.jobs(3);
    await context.enqueue(failed, quarantined, waiting);
    const first = await context.claimOne(failed.id);
    await context.settle(first, { kind: "retry", error: bytes("boom"), due: context.now, counts: true });
    const second = await context.runToFailure(failed.id);
    const bad = await context.claimOne(quarantined.id);
    await context.settle(bad, { kind: "quarantined", error: bytes("forged") });
    const answer = await amend(context, RETRY, failed.id, quarantined.id, waiting.id);
    assert.deepEqual(answer.changed.toSorted(), [failed.id, quarantined.id].toSorted());
    const record = await context.jobRecord(failed.id);
    assert.equal(record.state, "ready");
    assert.equal(record.failures, 0);
    assert.equal(record.crashes, 0);
    assert.equal(record.bytes, undefined);
    assert.equal(record.finishedAt, undefined);
    const run = await context.claimOne(failed.id);
    assert.equal(run.attempt, 3);
    assert.ok(run.fence > second.fence);
    assert.equal(await context.complete(second), "lost");
    assert.equal(await context.complete(run, "well"), "applied");
    await context.runToEnd(quarantined.id);
  }),

  promise(
    "what is restored or retried by hand goes behind the jobs that were due before",
    async (context) => {
      const [failed, revoked, other] = context.jobs(3);
      await context.enqueue(failed, revoked);
      await context.runToFailure(failed.id);
      await amend(context, REVOKE_LATER, revoked.id);
      context.advance(10);
      await context.enqueue(other);
      context.advance(10);
      await amend(context, RETRY, failed.id);
      context.advance(10);
      await amend(context, RESTORE_LATER, revoked.id);
      const claimed = await context.claim({ n: 3 });
      assert.deepEqual(
        claimed.map(({ id }) => id),
        [other.id, failed.id, revoked.id],
      );
    },
  ),

  promise(
    "retrying by hand re-opens the flow, unless what follows has started, which rejects with TASKQ_FLOW_FINISHED",
    async (context) => {
      const [failing, next, other, callback, handler] = context.jobs(5);
      const group = context.group([chain(failing, next), other]);
      await context.enqueue(onError(follow(group, callback), handler));
      await context.runToFailure(failing.id);
      assert.deepEqual(await context.states(next.id, callback.id, handler.id), [
        "skipped",
        "skipped",
        "ready",
      ]);
      await amend(context, RETRY, failing.id);
      assert.deepEqual(await context.states(failing.id, next.id, group.end, callback.id, handler.id), [
        "ready",
        "blocked",
        "blocked",
        "blocked",
        "blocked",
      ]);
      await context.runToFailure(failing.id);
      const alert = await context.claimOne(handler.id);
      await context.rejects("TASKQ_FLOW_FINISHED", () => amend(context, RETRY, failing.id));
      assert.equal(await context.state(failing.id), "failed");
      assert.equal(await context.complete(alert), "applied");
      await context.rejects("TASKQ_FLOW_FINISHED", () => amend(context, RETRY, failing.id));
      const [stage, last] = context.jobs(2);
      await context.enqueue(chain(stage, last));
      await context.runToFailure(stage.id);
      await amend(context, RETRY, stage.id);
      await context.runToEnd(stage.id);
      await context.runToEnd(last.id);
    },
  ),

  promise(
    "a group that re-opens waits for every member that is not final, whatever fails meanwhile",
    async (context) => {
      const [slow, failing, second, callback] = context.jobs(4);
      const inner = context.group([failing, second]);
      const outer = context.group([slow, inner], "settled");
      await context.enqueue(follow(outer, callback));
      const run = await context.claimOne(slow.id);
      const other = await context.claimOne(second.id);
      await context.runToFailure(failing.id);
      assert.equal(await context.settle(other, { kind: "failed", error: bytes("boom") }), "applied");
      await amend(context, RETRY, failing.id);
      assert.deepEqual(await context.states(inner.end, outer.end, callback.id), [
        "failed",
        "blocked",
        "blocked",
      ]);
      assert.equal(await context.complete(run), "applied");
      assert.deepEqual(await context.states(outer.end, callback.id), ["completed", "ready"]);
    },
  ),

  promise(
    "what is retried for a group that stays failed is skipped with it, also where another group lies between",
    async (context) => {
      const [failing, next, member, root] = context.jobs(4);
      const inner = context.group([chain(failing, next)], "settled");
      const outer = context.group([inner, member, root]);
      await context.enqueue(outer);
      await context.runToFailure(failing.id);
      const run = await context.claimOne(member.id);
      await context.runToFailure(root.id);
      await context.settle(run, { kind: "failed", error: bytes("boom") });
      assert.deepEqual(await context.states(inner.end, outer.end), ["completed", "failed"]);
      assert.deepEqual((await amend(context, RETRY, member.id, failing.id)).changed, [member.id, failing.id]);
      const skipped = [member.id, failing.id, next.id, inner.end];
      assert.deepEqual(await context.states(...skipped), ["skipped", "skipped", "skipped", "skipped"]);
      assert.equal((await context.jobRecord(failing.id)).cause, root.id);
      assert.deepEqual(await context.claim({ n: 5 }), []);
      await amend(context, RETRY, root.id);
      assert.deepEqual(await context.states(...skipped), ["ready", "ready", "blocked", "blocked"]);
      await context.runToEnd(root.id);
      for (const { id } of [member, failing, next]) await context.runToEnd(id);
      assert.equal(await context.state(outer.end), "completed");
    },
  ),

  promise("what a retry re-opens in vain stays as it was and takes no unique key", async (context) => {
    for (const order of ["first", "last"] as const) {
      const unique = { key: order, until: context.now + 60_000, onConflict: "ignore" } as const;
      const [root, failing, next, done] = context.jobs(4);
      const keyed = context.job({ unique, delay: 1_000 });
      const chains = [chain(failing, next), chain(done, keyed)];
      await context.enqueue(context.group([root, ...(order === "first" ? chains : chains.toReversed())]));
      const runFailing = await context.claimOne(failing.id);
      const runDone = await context.claimOne(done.id);
      await context.runToFailure(root.id);
      await context.fail(runFailing, "boom");
      await context.complete(runDone);
      const { due } = await context.jobRecord(keyed.id);
      context.advance(5_000);
      await amend(context, RETRY, root.id);
      const record = await context.jobRecord(keyed.id);
      assert.deepEqual([record.state, record.cause, record.due], ["skipped", failing.id, due]);
      const free = await context.enqueue(context.job({ unique }));
      assert.equal(free.flows[0]?.status, "stored", order);
    }
  }),

  promise(
    "what a retry re-opens waits for a unique key in the order of enqueue, at whatever depth of its flow",
    async (context) => {
      const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
      const [first, second] = context.jobs(2, { unique });
      const failing = context.job();
      const [third, fourth, fifth] = context.jobs(3, { unique });
      const behind = context.job();
      const inner = [context.group([first, second]), chain(context.group([fourth, fifth]), behind)] as const;
      await context.enqueue(context.group([inner[0], failing, third, inner[1]]));
      await context.runToFailure(failing.id);
      context.advance(1_000);
      await amend(context, RETRY, failing.id);
      const order: string[] = [];
      for (const _ of [first, second, third, fourth, fifth]) {
        const claimed = await context.claim({ n: 9 });
        order.push(...claimed.map(({ id }) => id).filter((id) => id !== failing.id));
        for (const run of claimed) await context.complete(run);
      }
      assert.deepEqual(
        order,
        [first, second, third, fourth, fifth].map(({ id }) => id),
      );
      await context.runToEnd(behind.id);
    },
  ),

  promise("a flow of which a part was removed is not re-opened", async (context) => {
    const [failing, removed, last] = context.jobs(3);
    await context.enqueue(chain(failing, removed, last));
    await context.runToFailure(failing.id);
    await amend(context, { kind: "remove" }, removed.id);
    await context.rejects("TASKQ_FLOW_FINISHED", () => amend(context, RETRY, failing.id));
    assert.deepEqual(await context.states(failing.id, last.id), ["failed", "skipped"]);
    const [revoked, gone, end] = context.jobs(3);
    await context.enqueue(chain(revoked, gone, end));
    await amend(context, REVOKE_LATER, revoked.id);
    await amend(context, { kind: "remove" }, gone.id);
    await context.rejects("TASKQ_NOT_RESTORABLE", () => amend(context, RESTORE_LATER, revoked.id));
    assert.deepEqual(await context.states(revoked.id, end.id), ["cancelled", "skipped"]);
    const [whole, next] = context.jobs(2);
    await context.enqueue(chain(whole, next));
    await context.runToFailure(whole.id);
    await amend(context, RETRY, whole.id);
    assert.deepEqual(await context.states(whole.id, next.id), ["ready", "blocked"], "another flow is");
  }),
];

export const amending: Subject = subject("amend", [...revoking, ...restoring, ...rescheduling, ...retrying]);
