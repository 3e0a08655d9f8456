import assert from "node:assert/strict";
import { CONSEQUENCES_PER_STEP, type StepAnswer } from "@taskq/core/storage";
import { RETENTION, type Context } from "../context.js";
import { after, chain, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const WAIT = 64_000;
/** Within it jobs end that have waited for so long. */
const SLACK = WAIT / 64;

function open({ storage, queue, now }: Context, unknownAfter: number | undefined): Promise<unknown> {
  return storage.open({ queue, retention: RETENTION, unknownAfter, now });
}

/** A step of somebody who does not know the tasks. */
function meet(context: Context): Promise<StepAnswer> {
  return context.claimStep({ n: 5, tasks: ["known"] });
}

export const unknown: Subject = subject("step: unknown tasks", [
  promise(
    "a job of a task that nobody announces ends quarantined after the time that the queue was opened with",
    async (context) => {
      await open(context, WAIT);
      const [first] = context.jobs(1, { task: "strange" });
      const follower = context.job({ task: "strange" });
      const expiring = context.job({ task: "strange", expiresAt: context.now + WAIT });
      const handler = context.job({ task: "known" });
      await context.enqueue(onError(chain(first, follower), handler), expiring);
      const begun = await meet(context);
      assert.deepEqual([begun.claimed, begun.nextDue], [[], context.now + WAIT]);
      context.advance(WAIT / 2);
      const late = context.job({ task: "strange" });
      await context.enqueue(late);
      await meet(context);
      context.advance(WAIT / 2 - 2);
      const latest = context.job({ task: "strange" });
      await context.enqueue(latest);
      await meet(context);
      context.advance(1);
      const early = await meet(context);
      assert.deepEqual([early.effects, early.nextDue], [[], context.now + 1]);
      assert.deepEqual(await context.states(first.id, late.id), ["parked", "parked"]);

      context.advance(1);
      const { effects, claimed, nextDue } = await meet(context);
      assert.deepEqual(
        effects.find(({ id }) => id === first.id),
        {
          id: first.id,
          task: "strange",
          kind: "quarantined",
          reason: "unknown-task",
          cause: undefined,
          gate: undefined,
          attempt: 0,
        },
      );
      assert.deepEqual(
        claimed.map(({ id }) => id),
        [handler.id],
      );
      const [source] = at(claimed, 0).sources ?? [];
      assert.deepEqual([source?.id, source?.state], [first.id, "quarantined"]);
      const record = await context.jobRecord(first.id);
      assert.deepEqual(
        [record.state, record.reason, record.bytes, record.attempt, record.finishedAt],
        ["quarantined", "unknown-task", undefined, 0, context.now],
      );
      const skipped = await context.jobRecord(follower.id);
      assert.deepEqual([skipped.state, skipped.cause], ["skipped", first.id]);
      assert.deepEqual(await context.states(expiring.id, late.id), ["expired", "parked"]);

      // Met half of the time later, it may wait half of it longer.
      assert.ok(
        nextDue !== undefined &&
          nextDue >= context.now + WAIT / 2 &&
          nextDue <= context.now + WAIT / 2 + SLACK,
      );
      context.advance(WAIT / 2 - 1);
      assert.deepEqual((await meet(context)).effects, []);
      context.advance(1 + SLACK);
      await meet(context);
      assert.deepEqual(await context.states(late.id, latest.id), ["quarantined", "parked"]);
      context.advance(WAIT / 2 + SLACK);
      await meet(context);
      assert.deepEqual(await context.states(latest.id), ["quarantined"]);
      const counts = await context.storage.counts({ queue: context.queue, now: context.now });
      assert.deepEqual([counts["*"]?.quarantined, counts["*"]?.parked], [3, 0]);
      assert.equal((await meet(context)).nextDue, undefined);
      await boundedSteps();

      async function boundedSteps(): Promise<void> {
        const many = context.jobs(CONSEQUENCES_PER_STEP + 20, { task: "stranger" });
        await context.enqueue(...many);
        for (let more = true; more;) ({ more } = await meet(context));
        context.advance(WAIT + SLACK);
        const step = await meet(context);
        assert.equal(step.effects.length, CONSEQUENCES_PER_STEP);
        assert.ok(step.nextDue !== undefined && step.nextDue <= context.now, "the rest is due at once");
        assert.equal((await meet(context)).effects.length, 20);
      }
    },
  ),

  promise(
    "that time begins anew with an announcement, a retry by hand and another opening",
    async (context) => {
      const [first, second] = context.jobs(2, { task: "strange" });
      await context.enqueue(first, second);
      await meet(context);
      context.advance(WAIT * 9);
      await meet(context);
      assert.deepEqual(await context.states(first.id, second.id), ["parked", "parked"], "it waits for ever");
      await open(context, WAIT);
      context.advance(WAIT - 1);
      assert.deepEqual((await meet(context)).effects, []);

      const run = await context.claimOne(undefined, { tasks: ["strange"] });
      await context.settle(run, { kind: "released" });
      await meet(context);
      context.advance(WAIT - 1);
      assert.deepEqual((await meet(context)).effects, [], "somebody knew it");
      context.advance(1);
      await meet(context);
      assert.deepEqual(await context.states(first.id, second.id), ["quarantined", "quarantined"]);

      const ids = [first.id];
      const request = { queue: context.queue, ids, change: { kind: "retry" }, now: context.now } as const;
      assert.deepEqual((await context.storage.amend(request)).changed, ids);
      await meet(context);
      context.advance(WAIT - 1);
      await meet(context);
      assert.equal(await context.state(first.id), "parked");
      assert.equal((await context.claimOne(first.id, { tasks: ["strange"] })).attempt, 1);

      const last = context.job({ task: "strange" });
      await context.enqueue(last, after(context.job(), [last.id]));
      await meet(context);
      await open(context, undefined);
      context.advance(WAIT * 9);
      assert.deepEqual((await meet(context)).effects, []);
      assert.equal(await context.state(last.id), "parked");
      await open(context, WAIT);
      await context.storage.control({
        queue: context.queue,
        task: undefined,
        change: { kind: "pause" },
        now: context.now,
      });
      context.advance(WAIT * 2);
      await meet(context);
      await context.storage.control({
        queue: context.queue,
        task: undefined,
        change: { kind: "resume" },
        now: context.now,
      });
      await meet(context);
      assert.equal(await context.state(last.id), "parked", "nobody could announce it while all was paused");
      context.advance(WAIT);
      await meet(context);
      assert.equal(await context.state(last.id), "quarantined");
    },
  ),
]);
