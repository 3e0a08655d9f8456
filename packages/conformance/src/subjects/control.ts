import assert from "node:assert/strict";
import type { ControlAnswer, ControlRequest } from "@taskq/core/storage";
import type { Context } from "../context.js";
import { chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";

function control(
  context: Context,
  task: string | undefined,
  change: ControlRequest["change"],
): Promise<ControlAnswer> {
  return context.storage.control({ queue: context.queue, task, change, now: context.now });
}

const PAUSE = { kind: "pause" } as const;
const RESUME = { kind: "resume" } as const;
const RESTORE = { kind: "restore" } as const;
const INSPECT = { kind: "inspect" } as const;
const REVOKE = { kind: "revoke", once: false, until: undefined } as const;
const REVOKE_ONCE = { kind: "revoke", once: true, until: undefined } as const;

export const controlling: Subject = subject("control", [
  promise("a paused queue hands out nothing until it is resumed", async (context) => {
    const [running, waiting] = context.jobs(2);
    await context.enqueue(running, waiting);
    const run = await context.claimOne(running.id);
    const paused = await control(context, undefined, PAUSE);
    assert.deepEqual(paused, { changed: true, paused: true, revoked: false });
    assert.equal((await control(context, undefined, PAUSE)).changed, false);
    assert.deepEqual(await context.claim({ n: 5, ahead: 5 }), []);
    assert.deepEqual(await context.claim({ ids: [waiting.id] }), []);
    assert.equal(await context.complete(run), "applied");
    const resumed = await control(context, undefined, RESUME);
    assert.deepEqual(resumed, { changed: true, paused: false, revoked: false });
    assert.equal((await context.claimOne()).id, waiting.id);
  }),

  promise(
    "jobs of a paused task are parked while others run, and run once it is resumed",
    async (context) => {
      const early = context.job({ task: "slow", priority: 5 });
      await context.enqueue(early);
      assert.equal((await control(context, "slow", PAUSE)).paused, true);
      assert.equal((await control(context, undefined, INSPECT)).paused, false);
      const [late, other] = [context.job({ task: "slow" }), context.job({ task: "other" })];
      await context.enqueue(late, other);
      const claimed = await context.claim({ n: 5 });
      assert.deepEqual(
        claimed.map(({ id }) => id),
        [other.id],
      );
      assert.deepEqual(await context.states(early.id, late.id), ["parked", "parked"]);
      assert.equal((await control(context, "slow", RESUME)).paused, false);
      const resumed = await context.claim({ n: 5 });
      assert.deepEqual(
        resumed.map(({ id }) => id),
        [early.id, late.id],
      );
    },
  ),

  promise(
    "what waited for its task or for a resume is ready then, also when the clock was set back meanwhile",
    async (context) => {
      for (const why of ["unknown", "paused"]) {
        const job = context.job({ task: "slow" });
        if (why === "paused") await control(context, "slow", PAUSE);
        await context.enqueue(job);
        assert.deepEqual(await context.claim({ n: 5, tasks: why === "paused" ? ["slow"] : ["other"] }), []);
        assert.equal(await context.state(job.id), "parked");
        const due = context.now;
        context.advance(-60_000);
        await control(context, "slow", RESUME);
        const [run] = await context.claim({ n: 5, tasks: ["slow"] });
        assert.deepEqual([run?.id, run?.due], [job.id, due], why);
        context.advance(120_000);
      }
    },
  ),

  promise("jobs of a revoked task end cancelled when their turn comes", async (context) => {
    const [revoked, next, other] = [context.job({ task: "old" }), context.job(), context.job()];
    await context.enqueue(chain(revoked, next), other);
    const answer = await control(context, "old", REVOKE);
    assert.deepEqual(answer, { changed: true, paused: false, revoked: true });
    assert.equal(await context.state(revoked.id), "ready");
    const claimed = await context.claim({ n: 5 });
    assert.deepEqual(
      claimed.map(({ id }) => id),
      [other.id],
    );
    const record = await context.jobRecord(revoked.id);
    assert.equal(record.state, "cancelled");
    assert.equal(record.reason, "revoked");
    assert.equal(await context.state(next.id), "skipped");
    const later = context.job({ task: "old" });
    await context.enqueue(later);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    assert.equal(await context.state(later.id), "cancelled");
  }),

  promise("a task revoked once skips exactly one job", async (context) => {
    const [first, second] = context.jobs(2, { task: "old" });
    await context.enqueue(first, second);
    assert.equal((await control(context, "old", REVOKE_ONCE)).revoked, true);
    const claimed = await context.claim({ n: 5 });
    assert.deepEqual(
      claimed.map(({ id }) => id),
      [second.id],
    );
    assert.equal(await context.state(first.id), "cancelled");
    assert.equal((await control(context, "old", INSPECT)).revoked, false);
  }),

  promise("a task revoked until an instant runs again from then", async (context) => {
    const until = context.now + 10_000;
    await control(context, "old", { kind: "revoke", once: false, until });
    const before = context.job({ task: "old" });
    await context.enqueue(before);
    context.advance(9_999);
    assert.equal((await control(context, "old", INSPECT)).revoked, true);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    assert.equal(await context.state(before.id), "cancelled");
    context.advance(1);
    assert.equal((await control(context, "old", INSPECT)).revoked, false);
    const from = context.job({ task: "old" });
    await context.enqueue(from);
    assert.equal((await context.claimOne()).id, from.id);
  }),

  promise("restoring a task answers whether it was revoked", async (context) => {
    assert.equal((await control(context, "old", RESTORE)).changed, false);
    await control(context, "old", REVOKE);
    const restored = await control(context, "old", RESTORE);
    assert.deepEqual(restored, { changed: true, paused: false, revoked: false });
    assert.equal((await control(context, "old", RESTORE)).changed, false);
    const job = context.job({ task: "old" });
    await context.enqueue(job);
    assert.equal((await context.claimOne()).id, job.id);
    await control(context, "old", PAUSE);
    await control(context, "old", REVOKE);
    const paused = await control(context, "old", RESTORE);
    assert.deepEqual(paused, { changed: true, paused: true, revoked: false });
    await context.enqueue(context.job({ task: "old" }));
    assert.deepEqual(await context.claim(), []);
    await control(context, "old", REVOKE);
    const revoked = await control(context, "old", RESUME);
    assert.deepEqual(revoked, { changed: true, paused: false, revoked: true });
  }),
]);
