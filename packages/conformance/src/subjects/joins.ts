import assert from "node:assert/strict";
import {
  CONSEQUENCES_PER_STEP,
  type AmendRequest,
  type JoinSource,
  type SettledOutcome,
  type Source,
} from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { after, chain, flowOf, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at, exactly } from "../tuple.js";

export const joins: Subject = subject("step: joins", [
  promise(
    "a join completes when all members have completed, with their results in the order given",
    async (context) => {
      const members = context.jobs(3);
      const piped = chain(context.job(), context.job());
      const sum = context.job();
      const group = context.group([...members, piped]);
      await context.enqueue(chain(group, sum));
      await context.runToEnd(at(piped.jobs, 0).id, "ignored");
      for (const id of [piped.end, at(members, 2).id, at(members, 0).id])
        await context.runToEnd(id, `result of ${id}`);
      assert.deepEqual(await context.states(group.end, sum.id), ["blocked", "blocked"]);
      context.advance(10);
      await context.runToEnd(at(members, 1).id, `result of ${at(members, 1).id}`);
      const record = await context.joinRecord(group.end);
      assert.deepEqual(
        [record.state, record.finishedAt, record.cause],
        ["completed", context.now, undefined],
      );
      const run = await context.claimOne(sum.id);
      assert.equal(run.sources?.length, 1);
      const source = joinOf(run.sources[0]);
      assert.deepEqual([source.id, source.mode, source.state], [group.end, "all", "completed"]);
      assert.deepEqual(
        results(source),
        [...members.map(({ id }) => id), piped.end].map((id) => `result of ${id}`),
      );
    },
  ),

  promise("a member that is settled twice counts once", async (context) => {
    const [one, two] = context.jobs(2);
    const group = context.group([one, two]);
    await context.enqueue(group);
    const first = await context.claimOne(one.id);
    await context.settle(first, { kind: "interrupted" });
    const again = await context.claimOne(one.id);
    await context.settle(again, { kind: "retry", error: bytes("boom"), due: context.now, counts: true });
    const run = await context.claimOne(one.id);
    const settled = [
      context.settlement(run, { kind: "completed", result: undefined }),
      context.settlement(run, { kind: "completed", result: undefined }),
    ];
    assert.deepEqual((await context.step({ settled })).settled, ["applied", "repeated"]);
    assert.equal(await context.complete(run), "repeated");
    assert.notEqual(await context.complete(first), "applied");
    assert.equal(await context.state(group.end), "blocked");
    await context.runToEnd(two.id);
    assert.equal(await context.state(group.end), "completed");
  }),

  promise("a join in mode all fails with the first member that does not complete", async (context) => {
    const [one, two, three, sum, alert] = context.jobs(5);
    const group = context.group([one, two, three]);
    await context.enqueue(onError(chain(group, sum), alert));
    const runs = await context.claim({ n: 3 });
    context.advance(5);
    await context.fail(at(runs, 1), "boom");
    const record = await context.joinRecord(group.end);
    assert.deepEqual(
      [record.state, record.reason, record.cause, record.finishedAt],
      ["failed", "failed", two.id, context.now],
    );
    const skipped = await context.jobRecord(sum.id);
    assert.deepEqual([skipped.state, skipped.reason, skipped.cause], ["skipped", "failed", two.id]);
    context.advance(5);
    await context.fail(at(runs, 0), "later");
    assert.deepEqual(await context.joinRecord(group.end), record, "the first one counts");
    const handling = await context.claimOne(alert.id);
    const [source] = handling.sources ?? [];
    assert.deepEqual(source?.kind === "job" ? [source.id, text(source.bytes)] : [], [two.id, "boom"]);

    const [kept, dropped, last] = context.jobs(3);
    const cancelled = context.group([kept, dropped]);
    await context.enqueue(chain(cancelled, last));
    await context.settle(await context.claimOne(dropped.id), { kind: "cancelled", reason: "asked for" });
    const end = await context.joinRecord(cancelled.end);
    assert.deepEqual([end.state, end.reason, end.cause], ["skipped", "cancelled", dropped.id]);
    assert.equal(await context.state(last.id), "skipped");
  }),

  promise(
    "members of a failed join that have not started count as skipped from that moment",
    async (context) => {
      const [first, second, third, scheduled] = [...context.jobs(3), context.job({ delay: 50 })];
      const piped = chain(context.job(), context.job());
      const outside = context.job();
      const group = context.group([first, second, third, scheduled, piped]);
      await context.enqueue(chain(group, context.job()), outside);
      await context.runToEnd(second.id);
      await context.runToFailure(first.id, "boom");
      const unstarted = [third.id, scheduled.id, ...piped.jobs.map(({ id }) => id)];
      for (const id of unstarted) {
        const record = await context.jobRecord(id);
        assert.deepEqual([record.state, record.cause], ["skipped", first.id]);
        assert.equal(record.reason, "group failed");
      }
      const counts = await context.storage.counts({ queue: context.queue, now: context.now });
      assert.deepEqual([counts["*"]?.skipped, counts["*"]?.ready, counts["*"]?.scheduled], [5, 1, 0]);
      const listed = await context.storage.list({
        queue: context.queue,
        states: ["skipped"],
        limit: 10,
        now: context.now,
      });
      assert.equal(listed.records.length, 5);
      context.advance(100);
      const claimed = await context.claim({ n: 9 });
      assert.deepEqual(
        claimed.map(({ id }) => id),
        [outside.id],
      );
      assert.deepEqual(await context.states(second.id), ["completed"]);

      // Also where the claim itself ends the member.
      const late = context.job({ expiresAt: context.now + 5 });
      const others = [context.job(), context.job({ expiresAt: context.now + 5 })];
      await context.enqueue(context.group([late, ...others]));
      context.advance(10);
      assert.deepEqual(await context.claim({ n: 9 }), []);
      const states = await context.states(late.id, ...others.map(({ id }) => id));
      assert.deepEqual(states, ["expired", "skipped", "skipped"]);

      const [bad, wanted] = context.jobs(2);
      await context.enqueue(context.group([bad, wanted]));
      const elsewhere = after(context.job(), [wanted.id]);
      await context.enqueue(elsewhere);
      await context.runToFailure(bad.id, "boom");
      assert.deepEqual(
        await context.states(wanted.id, elsewhere.id),
        ["ready", "blocked"],
        "it is waited for elsewhere",
      );
      await context.runToEnd(wanted.id);
      assert.equal(await context.state(elsewhere.id), "ready");

      // The same within one flow, until what else waits for it is final; also when the join fails once more.
      const [one, next, loose, last] = context.jobs(4);
      const failing = context.job();
      const before = context.group([one], "settled");
      const members = [failing, chain(before, next, last)];
      const outer = context.group(members);
      await context.enqueue({ ...outer, jobs: [...outer.jobs, after(loose, [next.id], "settled")] });
      const amend = (id: string, change: AmendRequest["change"]): Promise<unknown> =>
        context.storage.amend({ queue: context.queue, ids: [id], change, now: context.now });
      await context.runToFailure(failing.id);
      const row = [one.id, before.end, next.id, last.id];
      assert.deepEqual(await context.states(...row), ["ready", "blocked", "blocked", "skipped"]);
      await amend(failing.id, { kind: "retry" });
      await amend(loose.id, { kind: "revoke", scope: "later" });
      assert.deepEqual(await context.states(...row), ["ready", "blocked", "blocked", "blocked"]);
      await context.runToFailure(failing.id);
      assert.deepEqual(await context.states(...row), ["skipped", "skipped", "skipped", "skipped"]);
    },
  ),

  promise("what is enqueued behind a member that counts as skipped is skipped with it", async (context) => {
    const failing = context.job({ priority: 1 });
    const members = context.jobs(CONSEQUENCES_PER_STEP + 10);
    await context.enqueue(context.group([failing, ...members]));
    await context.runToFailure(failing.id);
    // The first is written down as skipped at once, the last later.
    for (const member of [at(members, CONSEQUENCES_PER_STEP + 9), at(members, 0)]) {
      const [next, always] = context.jobs(2);
      await context.enqueue(after(next, [member.id]), after(always, [member.id], "settled"));
      assert.deepEqual(await context.states(member.id, next.id, always.id), ["skipped", "skipped", "ready"]);
      await context.runToEnd(always.id);
      assert.equal(await context.state(member.id), "skipped");
    }
    assert.deepEqual(await context.claim({ n: 9 }), []);
  }),

  promise("a member of a failed join whose run is given back is skipped with it", async (context) => {
    const keyed = { body: bytes("keyed"), gates: undefined, unique: undefined };
    const outcomes: SettledOutcome[] = [
      { kind: "released" },
      { kind: "postponed", due: context.now + 1_000 },
      { kind: "retry", error: bytes("again"), due: context.now, counts: true },
      { kind: "interrupted" },
      { kind: "keyed", ...keyed },
    ];
    for (const outcome of outcomes) {
      const [failing, member] = context.jobs(2);
      await context.enqueue(context.group([failing, member]));
      const run = await context.claimOne(member.id);
      await context.runToFailure(failing.id);
      assert.equal(await context.settle(run, outcome), "applied");
      const { state, cause } = await context.jobRecord(member.id);
      assert.deepEqual([state, cause], ["skipped", failing.id], outcome.kind);
    }
    context.advance(1_000);
    assert.deepEqual(await context.claim({ n: 9 }), []);
  }),

  promise("active members of a failed join run to their end and count no more", async (context) => {
    const [bad, good, worse] = context.jobs(3);
    const piped = chain(context.job(), context.job());
    const group = context.group([bad, good, worse, piped]);
    await context.enqueue(group);
    const [runBad, runGood, runWorse, runPiped] = exactly(await context.claim({ n: 4 }), 4);
    await context.fail(runBad, "boom");
    const before = await context.joinRecord(group.end);
    assert.deepEqual(await context.states(good.id, worse.id, at(piped.jobs, 0).id), [
      "active",
      "active",
      "active",
    ]);
    context.advance(10);
    assert.equal(await context.complete(runGood, "fine"), "applied");
    assert.equal(await context.fail(runWorse, "too"), "applied");
    assert.equal(await context.complete(runPiped, "fine"), "applied");
    const record = await context.jobRecord(good.id);
    assert.deepEqual([record.state, text(record.bytes)], ["completed", "fine"]);
    assert.deepEqual(await context.states(worse.id, at(piped.jobs, 0).id, piped.end), [
      "failed",
      "completed",
      "skipped",
    ]);
    assert.deepEqual(await context.joinRecord(group.end), before);
    assert.deepEqual(await context.claim({ n: 9 }), []);

    const [first, second, rescue, other] = context.jobs(4);
    const guarded = context.group([onError(chain(first, second), rescue), other]);
    await context.enqueue(guarded);
    await context.runToFailure(first.id, "boom");
    assert.deepEqual(await context.states(second.id, rescue.id, other.id), ["skipped", "ready", "skipped"]);
    assert.equal((await context.claimOne()).id, rescue.id, "a member's own error handler runs");
  }),

  promise("a join in mode settled completes with the outcome of every member", async (context) => {
    const [good, bad, cancelled] = context.jobs(3);
    const piped = chain(context.job(), context.job());
    const sum = context.job();
    const group = context.group([bad, good, cancelled, piped], "settled");
    await context.enqueue(chain(group, sum));
    await context.runToFailure(bad.id, "boom");
    await context.runToFailure(at(piped.jobs, 0).id, "bang");
    await context.settle(await context.claimOne(cancelled.id), { kind: "cancelled", reason: "asked for" });
    assert.deepEqual(await context.states(group.end, good.id, piped.end), ["blocked", "ready", "skipped"]);
    await context.runToEnd(good.id, "fine");
    const record = await context.joinRecord(group.end);
    assert.deepEqual([record.state, record.cause], ["completed", undefined]);
    const source = joinOf((await context.claimOne(sum.id)).sources?.[0]);
    assert.deepEqual(
      source.members.map((one) =>
        one.kind === "job" ? [one.id, one.state, text(one.bytes), one.cause] : [],
      ),
      [
        [bad.id, "failed", "boom", undefined],
        [good.id, "completed", "fine", undefined],
        [cancelled.id, "cancelled", undefined, undefined],
        [piped.end, "skipped", undefined, at(piped.jobs, 0).id],
      ],
    );
  }),

  promise("joins nest", async (context) => {
    const [a, b, c, d, sum] = context.jobs(5);
    const inner = context.group([b, c]);
    const outer = context.group([a, inner, flowOf(d)]);
    await context.enqueue(chain(outer, sum));
    await context.runToEnd(c.id, "c");
    await context.runToEnd(a.id, "a");
    await context.runToEnd(d.id, "d");
    assert.deepEqual(await context.states(inner.end, outer.end), ["blocked", "blocked"]);
    await context.runToEnd(b.id, "b");
    assert.deepEqual(await context.states(inner.end, outer.end), ["completed", "completed"]);
    const source = joinOf((await context.claimOne(sum.id)).sources?.[0]);
    assert.deepEqual(
      source.members.map((one) => one.id),
      [a.id, inner.end, d.id],
    );
    assert.deepEqual(results(joinOf(source.members[1])), ["b", "c"]);

    const [e, f, g, last, alert] = context.jobs(5);
    const deep = context.group([context.group([e, f]), g]);
    const [near, far] = context.jobs(2);
    const apart = context.group([context.group([near]), far]);
    await context.enqueue(onError(chain(deep, last), alert), apart);
    await context.runToFailure(f.id, "boom");
    const innermost = at(deep.joins, 0).id;
    assert.deepEqual(await context.states(innermost, deep.end, e.id, g.id, last.id, alert.id), [
      "failed",
      "failed",
      "skipped",
      "skipped",
      "skipped",
      "ready",
    ]);
    assert.equal((await context.joinRecord(deep.end)).cause, f.id);
    for (const { id } of [near, far]) await context.runToEnd(id);
    assert.equal(await context.state(apart.end), "completed", "another group has no part in it");
    const [cause] = (await context.claimOne(alert.id)).sources ?? [];
    assert.equal(cause?.id, f.id);

    const [h, i, final] = context.jobs(3);
    const tolerant = context.group([context.group([h, i]), context.group([])], "settled");
    const flow = chain(tolerant, final);
    // the order of the rows says nothing
    await context.enqueue({ ...flow, jobs: flow.jobs.toReversed(), joins: flow.joins.toReversed() });
    await context.runToFailure(h.id, "boom");
    assert.deepEqual(await context.states(at(tolerant.joins, 0).id, tolerant.end, final.id), [
      "failed",
      "completed",
      "ready",
    ]);
  }),

  promise("a join of ten thousand members fails without delay", async (context) => {
    const members = context.jobs(10_000);
    const sum = context.job();
    const group = context.group(members);
    const outside = context.job({ priority: -1 });
    const storing = performance.now();
    await context.enqueue(chain(group, sum), outside);
    // A busy machine takes longer for this, too. What looked at all members for each of them would take minutes.
    const allowed = Math.max(5_000, 10 * (performance.now() - storing));
    const run = await context.claimOne();
    const started = performance.now();
    assert.equal(await context.fail(run, "boom"), "applied");
    assert.deepEqual(await context.states(group.end, sum.id, at(members, 9_999).id), [
      "failed",
      "skipped",
      "skipped",
    ]);
    const counts = await context.storage.counts({ queue: context.queue, now: context.now });
    assert.deepEqual([counts["*"]?.skipped, counts["*"]?.ready], [10_000, 1]);
    const [next] = await context.claim({ n: 3 });
    assert.equal(next?.id, outside.id);
    const took = performance.now() - started;
    assert.ok(took < allowed, `failing and claiming took ${Math.round(took)} ms of ${Math.round(allowed)}`);
    for (let step = 0; step < 25; step += 1) assert.deepEqual(await context.claim({ n: 3 }), []);
    const last = await context.storage.counts({ queue: context.queue, now: context.now });
    assert.deepEqual([last["*"]?.skipped, last["*"]?.ready, last["*"]?.active], [10_000, 0, 1]);
  }),
]);

function joinOf(source: Source | undefined): JoinSource {
  assert.equal(source?.kind, "join");
  return source;
}

/** Results of the members of a join, as texts. */
function results(join: JoinSource): (string | undefined)[] {
  return join.members.map((one) => (one.kind === "job" ? text(one.bytes) : one.kind));
}
