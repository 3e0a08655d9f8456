import assert from "node:assert/strict";
import { joinId, splitId, type ClaimedJob, type NewUnique, type SettledOutcome } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { chain, flowOf, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

export const additions: Subject = subject("step: added flows", [
  promise("flows added by a run whose group has failed are skipped with it", async (context) => {
    const [failing, running, extra, last] = context.jobs(4);
    await context.enqueue(context.group([failing, running]));
    const run = await context.claimOne(running.id);
    await context.runToFailure(failing.id);
    assert.equal(await context.complete(run, "done", { add: [chain(extra, last)] }), "applied");
    for (const { id } of [extra, last]) {
      const { state, cause } = await context.jobRecord(id);
      assert.deepEqual([state, cause], ["skipped", failing.id]);
    }
    assert.deepEqual(await context.claim({ n: 9 }), []);
  }),

  promise(
    "what was added to a group that had failed waits again once that is opened again, and is by itself",
    async (context) => {
      const [failing, running, extra, last, callback] = context.jobs(5);
      const group = context.group([failing, running]);
      await context.enqueue(chain(group, callback));
      const run = await context.claimOne(running.id);
      await context.runToFailure(failing.id);
      await context.complete(run, "done", { add: [chain(extra, last)] });
      const { storage, queue } = context;
      const change = { kind: "retry" } as const;
      await storage.amend({ queue, ids: [failing.id], change, now: context.now });
      assert.deepEqual(await context.states(failing.id, extra.id, last.id, callback.id), [
        "ready",
        "ready",
        "blocked",
        "blocked",
      ]);
      await context.runToFailure(failing.id);
      assert.deepEqual(await context.states(group.end, callback.id), ["failed", "skipped"]);
      await context.runToEnd(extra.id);
      await context.runToEnd(last.id);
    },
  ),

  promise("flows added by a completed run are stored with it, once", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const run = await context.claimOne(job.id);
    const [first, second, third] = context.jobs(3);
    const add = [chain(first, second), flowOf(third)];
    assert.equal(await context.complete(run, "done", { add }), "applied");
    assert.deepEqual(await context.states(first.id, second.id, third.id), ["ready", "blocked", "ready"]);
    assert.equal(await context.complete(run, "done", { add }), "repeated");
    const others = context.jobs(2);
    const failing = context.job();
    await context.enqueue(failing);
    const outcome: SettledOutcome = { kind: "failed", error: bytes("boom") };
    await context.settle(await context.claimOne(failing.id), outcome, { add: others.map(flowOf) });
    assert.equal(await context.complete(run, "done", { add: others.map(flowOf) }), "repeated");
    assert.deepEqual(await context.states(...others.map(({ id }) => id)), [undefined, undefined]);
    const claimed = await context.claim({ n: 9 });
    assert.deepEqual(claimed.map(({ id }) => id).toSorted(), [first.id, third.id].toSorted());
    assert.equal(
      await context.complete({ id: first.id, fence: at(claimed, 0).fence + 9 }, "x", {
        add: others.map(flowOf),
      }),
      "lost",
    );
    assert.deepEqual(await context.states(...others.map(({ id }) => id)), [undefined, undefined]);
  }),

  promise(
    "flows added by a completed run are stored, although a new id shares all but its random part with another",
    async (context) => {
      const [there, job, stage] = context.jobs(3);
      await context.enqueue(there, job);
      const run = await context.claimOne(job.id);
      const parts = splitId(there.id);
      assert.ok(parts !== undefined);
      const id = joinId({ ...parts, random: (parts.random + 1) % 2 ** 40 });
      const add = [chain({ ...context.job(), id }, stage)];
      assert.equal(await context.complete(run, "done", { add }), "applied");
      assert.deepEqual(await context.states(there.id, id, stage.id), ["ready", "ready", "blocked"]);
      await context.runToEnd(there.id);
      await context.runToEnd(id, "added");
      const follower = await context.claimOne(stage.id);
      assert.deepEqual(
        follower.sources?.map((one) => one.id),
        [id],
      );
    },
  ),

  promise(
    "a run that adds what was given another task's id is refused and still held, and the others of its step are settled",
    async (context) => {
      const [first, second, third] = context.jobs(3);
      const taken = context.job({ id: "report 1" });
      await context.enqueue(first, second, third, taken);
      const runs = [
        await context.claimOne(first.id),
        await context.claimOne(second.id),
        await context.claimOne(third.id),
      ];
      const [one, two, three] = runs as [ClaimedJob, ClaimedJob, ClaimedJob];
      const other = context.job({ id: "report 1", task: "another" });
      const own = context.job({ id: "report 1" });
      const done: SettledOutcome = { kind: "completed", result: undefined };
      const settled = [
        context.settlement(one, done),
        context.settlement(two, done, { add: [flowOf(context.job()), flowOf(other)] }),
        context.settlement(three, done, { add: [flowOf(own)] }),
      ];
      const answer = await context.step({ settled });
      assert.deepEqual(answer.settled, ["applied", "refused", "applied"]);
      assert.deepEqual(await context.states(first.id, second.id, third.id), [
        "completed",
        "active",
        "completed",
      ]);
      assert.equal(await context.state("report 1"), "ready");
      assert.equal(await context.fail(two), "applied");
      assert.equal(await context.state(second.id), "failed");

      const [fourth, fifth] = context.jobs(2);
      await context.enqueue(fourth, fifth);
      const [four, five] = [await context.claimOne(fourth.id), await context.claimOne(fifth.id)];
      const [mine, theirs] = [context.job({ id: "report 2" }), { ...other, id: "report 2" }];
      const both = await context.step({
        settled: [
          context.settlement(four, done, { add: [flowOf(mine)] }),
          context.settlement(five, done, { add: [flowOf(theirs)] }),
        ],
      });
      assert.deepEqual(both.settled.toSorted(), ["applied", "refused"], "one of the two has it");
    },
  ),

  promise("what follows a completed run also waits for the flows it added", async (context) => {
    const [job, next, handler, other, added, tail] = context.jobs(6);
    await context.enqueue(onError(chain(job, next), handler));
    const run = await context.claimOne(job.id);
    await context.complete(run, "own", { add: [chain(added, tail), flowOf(other)] });
    assert.deepEqual(await context.states(next.id, handler.id), ["blocked", "blocked"]);
    await context.runToEnd(other.id, "other");
    await context.runToEnd(added.id, "added");
    assert.equal(await context.state(next.id), "blocked");
    await context.runToEnd(tail.id, "tail");
    const follower = await context.claimOne(next.id);
    assert.deepEqual(
      follower.sources?.map((one) => (one.kind === "job" ? text(one.bytes) : one.kind)),
      ["own", "tail", "other"],
    );

    const [guarded, rescue, extra] = context.jobs(3);
    await context.enqueue(onError(guarded, rescue));
    await context.runToEnd(guarded.id, "own", { add: [flowOf(extra)] });
    assert.deepEqual(
      await context.states(rescue.id, extra.id),
      ["skipped", "ready"],
      "its own error handler does not",
    );
    await context.runToEnd(extra.id);

    const [root, last, alert, broken] = context.jobs(4);
    await context.enqueue(onError(chain(root, last), alert));
    await context.runToEnd(root.id, "own", { add: [flowOf(broken)] });
    await context.runToFailure(broken.id, "boom");
    const skipped = await context.jobRecord(last.id);
    assert.deepEqual([skipped.state, skipped.cause], ["skipped", broken.id]);
    assert.equal(await context.state(alert.id), "ready");
    await addedToMember();

    /** The member's own result stays its result, but the group waits for what it added. */
    async function addedToMember(): Promise<void> {
      const [member, two, sum, more, further] = context.jobs(5);
      const group = context.group([member, two]);
      await context.enqueue(chain(group, sum));
      await context.runToEnd(two.id, "two");
      await context.runToEnd(member.id, "one", { add: [flowOf(more)] });
      assert.deepEqual(await context.states(group.end, sum.id), ["blocked", "blocked"]);
      await context.runToEnd(more.id, "more", { add: [flowOf(further)] });
      assert.deepEqual(
        await context.states(group.end, sum.id),
        ["blocked", "blocked"],
        "and what that added",
      );
      await context.runToEnd(further.id, "further");
      const [source] = (await context.claimOne(sum.id)).sources ?? [];
      const members = source?.kind === "join" ? source.members : [];
      assert.deepEqual(
        members.map((one) => (one.kind === "job" ? text(one.bytes) : one.kind)),
        ["one", "two"],
      );

      const [three, four, worse] = context.jobs(3);
      const failing = context.group([three, four]);
      await context.enqueue(failing);
      await context.runToEnd(three.id, "three", { add: [flowOf(worse)] });
      await context.runToFailure(worse.id, "boom");
      const record = await context.joinRecord(failing.end);
      assert.deepEqual([record.state, record.cause], ["failed", worse.id]);
    }
  }),

  promise("what a completed run adds and is there already counts with what it came to", async (context) => {
    const unique: NewUnique = { key: "report", until: context.now + 60_000, onConflict: "ignore" };
    const there = [context.job({ id: "report 1" }), context.job({ unique })];
    await context.enqueue(...there);
    await context.runToEnd(at(there, 0).id);
    await context.runToFailure(at(there, 1).id, "boom");

    const [job, next, alert, added] = context.jobs(4);
    await context.enqueue(onError(chain(job, next), alert));
    await context.runToEnd(job.id, "own", { add: [flowOf(at(there, 0)), flowOf(added)] });
    assert.equal(await context.state(next.id), "blocked");
    await context.runToEnd(added.id);
    assert.deepEqual(await context.states(next.id, alert.id), ["ready", "blocked"]);
    await context.runToEnd(next.id);

    const [root, last, handler] = context.jobs(3);
    await context.enqueue(onError(chain(root, last), handler));
    await context.runToEnd(root.id, "own", { add: [flowOf(context.job({ unique }))] });
    const { state, cause } = await context.jobRecord(last.id);
    assert.deepEqual([state, cause], ["skipped", at(there, 1).id]);
    assert.equal(await context.state(handler.id), "ready");

    const [member, other] = context.jobs(2);
    const group = context.group([member, other]);
    await context.enqueue(group);
    await context.runToEnd(member.id, "one", { add: [flowOf(context.job({ unique }))] });
    const join = await context.joinRecord(group.end);
    assert.deepEqual([join.state, join.cause], ["failed", at(there, 1).id]);

    const { storage, queue } = context;
    await storage.amend({ queue, ids: [at(there, 1).id], change: { kind: "retry" }, now: context.now });
    await context.runToEnd(other.id);
    assert.equal(await context.state(group.end), "blocked", "it waits for what is retried");
    await context.runToEnd(at(there, 1).id);
    assert.equal(await context.state(group.end), "completed");
  }),
]);
