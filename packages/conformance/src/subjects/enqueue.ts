import assert from "node:assert/strict";
import { joinId, splitId, type NewFlow, type NewJob } from "@taskq/core/storage";
import { text } from "../bytes.js";
import { RETENTION } from "../context.js";
import { after, chain, flowOf, join, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const DAY = 86_400_000;
const SHORT = { completed: 1_000, failed: 1_000 };

export const enqueue: Subject = subject("enqueue", [
  promise("an enqueued job is ready at once, or scheduled when it is due later", async (context) => {
    const soon = context.job({ body: "soon", priority: 7 });
    const later = context.job({ delay: 1_000, expiresAt: context.now + 9_000 });
    const { flows } = await context.enqueue(soon, later);
    assert.deepEqual(flows, [
      { status: "stored", id: soon.id, state: "ready" },
      { status: "stored", id: later.id, state: "scheduled" },
    ]);
    const record = await context.jobRecord(soon.id);
    const { state, task, priority, attempt, failures, crashes, fence, enqueuedAt, due } = record;
    assert.deepEqual(
      { state, task, priority, attempt, failures, crashes, fence, enqueuedAt, due },
      {
        state: "ready",
        task: "work",
        priority: 7,
        attempt: 0,
        failures: 0,
        crashes: 0,
        fence: 0,
        enqueuedAt: context.now,
        due: context.now,
      },
    );
    assert.equal(text(record.detail?.body), "soon");
    const second = await context.jobRecord(later.id);
    assert.equal(second.state, "scheduled");
    assert.equal(second.due, context.now + 1_000);
    assert.equal(second.expiresAt, context.now + 9_000);
    const claimed = await context.claim({ n: 5 });
    assert.deepEqual(
      claimed.map((job) => job.id),
      [soon.id],
    );
  }),

  promise("a flow is stored whole, its roots ready and its other jobs blocked", async (context) => {
    const [one, two, three, four, sum, alert] = context.jobs(6);
    const group = context.group([chain(one, two), chain(three, four)]);
    const { flows } = await context.enqueue(onError(chain(group, sum), alert));
    assert.deepEqual(flows, [{ status: "stored", id: sum.id, state: "ready" }]);
    const ids = [one, two, three, four, sum, alert].map((job) => job.id);
    assert.deepEqual(await context.states(...ids, group.end), [
      "ready",
      "blocked",
      "ready",
      "blocked",
      "blocked",
      "blocked",
      "blocked",
    ]);
    const record = await context.joinRecord(group.end);
    assert.deepEqual(record.members, [two.id, four.id]);
    assert.equal(record.mode, "all");
    const stage = await context.jobRecord(sum.id);
    assert.deepEqual(stage.detail?.before, [group.end]);
    assert.deepEqual(stage.detail?.after, [alert.id]);
    const claimed = await context.claim({ n: 9 });
    assert.deepEqual(claimed.map((job) => job.id).toSorted(), [one.id, three.id].toSorted());
  }),

  promise(
    "enqueueing a flow again under the same ids stores nothing and answers the job that is there",
    async (context) => {
      const generated = chain(context.job(), context.job());
      const named = context.job({ id: "order 1" });
      await context.enqueue(generated, named);
      const again = await context.enqueue(generated, named);
      assert.deepEqual(again.flows[0], { status: "existing", id: generated.end, state: "blocked" });
      assert.deepEqual(again.flows[1], { status: "existing", id: "order 1", state: "ready" });

      const other = chain(context.job(), context.job({ id: "order 1", body: "another body" }));
      const answer = await context.enqueue(other);
      assert.deepEqual(answer.flows, [{ status: "existing", id: "order 1", state: "ready" }]);
      assert.equal(await context.state(at(other.jobs, 0).id), undefined);
      assert.notEqual(text((await context.jobRecord("order 1")).detail?.body), "another body");

      await context.runToEnd("order 1", "done");
      const third = await context.enqueue(context.job({ id: "order 1" }));
      assert.deepEqual(third.flows, [{ status: "existing", id: "order 1", state: "completed" }]);
      const fresh = context.job({ id: "order 2" });
      const twin = await context.enqueue(fresh, fresh);
      assert.deepEqual(
        twin.flows.map(({ status }) => status),
        ["stored", "existing"],
      );
      const counts = await context.storage.counts({ queue: context.queue, now: context.now });
      assert.deepEqual([counts["*"]?.ready, counts["*"]?.blocked, counts["*"]?.completed], [2, 1, 1]);

      const behind = flowOf(after(context.job(), ["order 1"]));
      await context.enqueue(behind);
      await context.runToEnd(behind.end);
      await context.storage.amend({
        queue: context.queue,
        ids: ["order 1"],
        change: { kind: "remove" },
        now: context.now,
      });
      assert.equal(await context.state("order 1"), undefined);
      const late = await context.enqueue(behind);
      assert.deepEqual(late.flows, [{ status: "existing", id: behind.end, state: "completed" }]);
    },
  ),

  promise(
    "an id given by the caller is remembered for a day, also after its job is purged",
    async (context) => {
      const retention = { ...RETENTION, completed: { for: 1_000, max: 100 } };
      await context.open(context.queue, retention);
      const enqueuedAt = context.now;
      await context.enqueue(context.job({ id: "order 1" }));
      context.advance(5_000);
      await context.runToEnd("order 1", "done");
      context.now = enqueuedAt + 10_000;
      await context.storage.purge({ queue: context.queue, limit: 100, now: context.now });
      assert.equal(await context.state("order 1"), undefined, "the job is purged");

      context.now = enqueuedAt + DAY - 1;
      await context.storage.purge({ queue: context.queue, limit: 100, now: context.now });
      const answer = await context.enqueue(context.job({ id: "order 1" }));
      assert.deepEqual(answer.flows, [{ status: "existing", id: "order 1", state: "completed" }]);
      assert.equal(await context.state("order 1"), undefined, "nothing is stored");
      await context.rejects("TASKQ_ID_TAKEN", () =>
        context.enqueue(context.job({ id: "order 1", task: "other" })),
      );

      context.now = enqueuedAt + DAY + 1;
      const later = await context.enqueue(context.job({ id: "order 1" }));
      assert.deepEqual(later.flows, [{ status: "stored", id: "order 1", state: "ready" }]);
    },
  ),

  promise(
    "an id given again a day later stands for another job, which has no part in what the one before was a part of",
    async (context) => {
      const long = { completed: 3 * DAY, failed: 3 * DAY };
      await context.open(context.queue, { ...RETENTION, completed: { for: 1_000, max: 100 } });
      const [failing, running, other] = [context.job({ keep: long }), context.job(), context.job()];
      const handler = context.job({ delay: 2 * DAY });
      const last = context.job({ keep: long });
      await context.enqueue(
        onError(failing, handler),
        after(context.job({ id: "follower", keep: SHORT }), [failing.id]),
        chain(context.job({ id: "source", keep: SHORT }), last),
        running,
        after(context.job({ id: "waiting", keep: SHORT }), [running.id]),
      );
      await context.runToFailure(failing.id);
      for (const id of ["source", last.id]) await context.runToEnd(id);
      const run = await context.claimOne(running.id);
      await context.storage.amend({
        queue: context.queue,
        ids: ["waiting"],
        change: { kind: "revoke", scope: "later" },
        now: context.now,
      });
      context.advance(DAY + 1);
      await context.storage.purge({ queue: context.queue, limit: 100, now: context.now });
      assert.deepEqual(await context.states("follower", "source", "waiting"), [
        undefined,
        undefined,
        undefined,
      ]);

      await context.enqueue(
        ...["follower", "source"].map((id) => context.job({ id })),
        chain(other, context.job({ id: "waiting" })),
      );
      await context.storage.amend({
        queue: context.queue,
        ids: [handler.id, last.id],
        change: { kind: "revoke", scope: "flow" },
        now: context.now,
      });
      assert.equal(await context.state(handler.id), "cancelled");
      assert.deepEqual(await context.states("follower", "source"), ["ready", "ready"]);
      await context.settle(run, { kind: "completed", result: undefined });
      assert.equal(await context.state("waiting"), "blocked");
      await context.runToEnd(other.id);
      assert.equal(await context.state("waiting"), "ready");
    },
  ),

  promise(
    "an id given by the caller for another task rejects with TASKQ_ID_TAKEN and stores nothing",
    async (context) => {
      const first = context.job({ id: "order 1", task: "ship", body: "first" });
      await context.enqueue(first);
      const flow = chain(context.job(), context.job({ id: "order 1", task: "bill", body: "second" }));
      await context.rejects("TASKQ_ID_TAKEN", () => context.enqueue(flow));
      assert.equal(await context.state(at(flow.jobs, 0).id), undefined);
      const record = await context.jobRecord("order 1");
      assert.equal(record.task, "ship");
      assert.equal(text(record.detail?.body), "first");
      const twins = [
        context.job({ id: "order 2", task: "ship" }),
        context.job({ id: "order 2", task: "bill" }),
      ];
      await context.rejects("TASKQ_ID_TAKEN", () => context.enqueue(...twins));
      assert.equal(await context.state("order 2"), undefined);
      await context.runToEnd("order 1");
      await context.rejects("TASKQ_ID_TAKEN", () =>
        context.enqueue(context.job({ id: "order 1", task: "bill" })),
      );
    },
  ),

  promise(
    "a group may have an id given by the caller, which is known again as that of a job is",
    async (context) => {
      await context.open(context.queue, {
        completed: { for: 1_000, max: 1_000 },
        failed: { for: 1_000, max: 1_000 },
      });
      // The second looks like one that core made.
      for (const id of ["the group", context.id()]) {
        const [one, two] = context.jobs(2);
        const named = (members: readonly NewJob[]): NewFlow => {
          const flow = join(id, members);
          return { ...flow, joins: flow.joins.map((made) => ({ ...made, named: true })) };
        };
        const { flows } = await context.enqueue(named([one, two]));
        assert.deepEqual(flows, [{ status: "stored", id, state: "ready" }]);
        const [three, follower] = context.jobs(2);
        const again = await context.enqueue(named([three]), after(follower, [id]));
        assert.deepEqual(again.flows, [
          { status: "existing", id, state: "blocked" },
          { status: "stored", id: follower.id, state: "blocked" },
        ]);
        assert.deepEqual(await context.states(three.id, follower.id), [undefined, "blocked"]);
        await context.rejects("TASKQ_ID_TAKEN", () => context.enqueue(context.job({ id })));
        await context.runToEnd(one.id, "one");
        await context.runToEnd(two.id, "two");
        const record = await context.joinRecord(id);
        assert.deepEqual([record.id, record.state, record.members], [id, "completed", [one.id, two.id]]);
        const [source] = (await context.claimOne(follower.id)).sources ?? [];
        assert.deepEqual([source?.kind, source?.id], ["join", id]);
        await context.complete({ id: follower.id, fence: context.highestFence(follower.id) });
        context.advance(60_000);
        await context.storage.purge({ queue: context.queue, limit: 100, now: context.now });
        assert.equal(await context.state(id), undefined);
        assert.deepEqual((await context.enqueue(named([three]))).flows, [
          { status: "existing", id, state: "completed" },
        ]);
        await context.rejects("TASKQ_ID_TAKEN", () => context.enqueue(context.job({ id })));
        context.advance(DAY);
        assert.equal((await context.enqueue(named([three]))).flows[0]?.status, "stored");
        await context.runToEnd(three.id);
      }
      const job = context.job({ id: "a job" });
      await context.enqueue(job);
      const flow = join("a job", context.jobs(1));
      await context.rejects("TASKQ_ID_TAKEN", () =>
        context.enqueue({ ...flow, joins: flow.joins.map((made) => ({ ...made, named: true })) }),
      );
      await context.rejects("TASKQ_ID_TAKEN", () =>
        context.enqueue(context.job({ id: "twice" }), {
          ...join("twice", context.jobs(1)),
          joins: [{ id: "twice", named: true, mode: "all", members: [] }],
        }),
      );
      assert.equal(await context.state("twice"), undefined);
    },
  ),

  promise("of several flows in one call either all are stored or none", async (context) => {
    const first = context.job({ id: "first" });
    const group = context.group(context.jobs(2));
    const good = await context.enqueue(first, group, chain(context.job(), context.job()));
    assert.deepEqual(
      good.flows.map(({ status }) => status),
      ["stored", "stored", "stored"],
    );
    assert.deepEqual(good.flows[1]?.id, group.end);

    const before = context.jobs(2);
    const wrong = context.job({ id: "first", task: "other" });
    const behind = context.group(context.jobs(2));
    await context.rejects("TASKQ_ID_TAKEN", () =>
      context.enqueue(at(before, 0), at(before, 1), wrong, behind),
    );
    const ids = [...before, ...behind.jobs].map((job) => job.id);
    assert.deepEqual(
      await context.states(...ids, behind.end),
      Array.from({ length: 5 }, () => undefined),
    );
    await noneOnCollision(context);
  }),

  promise("a group without members is completed at once, and what follows is ready", async (context) => {
    const sum = context.job();
    const alert = context.job();
    const empty = context.group([]);
    const settled = context.group([], "settled");
    const { flows } = await context.enqueue(onError(chain(empty, sum), alert), settled);
    assert.equal(flows[1]?.id, settled.end);
    assert.deepEqual(await context.states(empty.end, settled.end, sum.id, alert.id), [
      "completed",
      "completed",
      "ready",
      "blocked",
    ]);
    const run = await context.claimOne(sum.id);
    const [source] = run.sources ?? [];
    assert.equal(source?.kind, "join");
    assert.deepEqual(source?.kind === "join" ? [source.id, source.state, source.members] : [], [
      empty.end,
      "completed",
      [],
    ]);
    const outer = context.group([context.group([]), context.group([])]);
    await context.enqueue(outer);
    assert.equal(await context.state(outer.end), "completed");
  }),

  promise("an edge to a job that is final already is satisfied or broken at once", async (context) => {
    const [done, broken, open] = context.jobs(3);
    await context.enqueue(done, broken, open);
    await context.runToEnd(done.id, "one");
    await context.runToFailure(broken.id, "boom");
    const followers = [
      after(context.job(), [done.id], "completed"),
      after(context.job(), [done.id], "failed"),
      after(context.job(), [done.id], "settled"),
      after(context.job(), [broken.id], "completed"),
      after(context.job(), [broken.id], "failed"),
      after(context.job(), [broken.id], "settled"),
      after(context.job(), [done.id, open.id], "completed"),
      after(context.job(), [open.id, broken.id], "completed"),
    ];
    const last = context.job();
    await context.enqueue(...followers.slice(0, 7), chain(at(followers, 7), last));
    assert.deepEqual(await context.states(...followers.map((job) => job.id), last.id), [
      "ready",
      "skipped",
      "ready",
      "skipped",
      "ready",
      "ready",
      "blocked",
      "skipped",
      "skipped",
    ]);
    for (const skipped of [at(followers, 3), at(followers, 7), last]) {
      const record = await context.jobRecord(skipped.id);
      assert.deepEqual([record.reason, record.cause], ["failed", broken.id]);
    }
    const run = await context.claimOne(at(followers, 0).id);
    const [source] = run.sources ?? [];
    assert.equal(source?.kind === "job" ? text(source.bytes) : undefined, "one");
  }),
]);

/** A storage that knows only a part of an id refuses another with that part; one that knows all of it stores both. */
async function noneOnCollision(context: Parameters<Subject["promises"][number]["check"]>[0]): Promise<void> {
  const [there, other] = context.jobs(2);
  await context.enqueue(there);
  const parts = splitId(there.id);
  assert.ok(parts !== undefined);
  const id = joinId({ ...parts, random: (parts.random + 1) % 2 ** 40 });
  const request = {
    queue: context.queue,
    flows: [flowOf(other), flowOf({ ...context.job(), id })],
    now: context.now,
  };
  const answer = await context.storage.enqueue(request);
  const states = await context.states(other.id, id);
  if ("collision" in answer) {
    assert.equal(answer.collision, id);
    assert.deepEqual(states, [undefined, undefined]);
  } else {
    assert.deepEqual(states, ["ready", "ready"]);
  }
}
