import assert from "node:assert/strict";
import { isFinal, type SettledOutcome } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { LEASE, type Context } from "../context.js";
import { after, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { loseLease } from "./leases.js";

export const settle: Subject = subject("step: settling", [
  promise(
    "a completed run stores its result, which reads the same as often as it is read",
    async (context) => {
      const result = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
      const job = context.job();
      await context.enqueue(job);
      const run = await context.claimOne(job.id);
      const startedAt = context.now;
      context.advance(250);
      assert.equal(await context.settle(run, { kind: "completed", result }, { startedAt }), "applied");
      for (const whole of [true, false, undefined, true]) {
        const [record] = await context.storage.read({
          queue: context.queue,
          ids: [job.id],
          whole,
          now: context.now,
        });
        assert.equal(record?.kind === "job" ? record.state : undefined, "completed");
        const read = record?.kind === "job" ? record.bytes : undefined;
        assert.deepEqual([...(read ?? [])], [...result]);
        context.advance(1_000);
      }
      const record = await context.jobRecord(job.id);
      assert.deepEqual(
        [record.startedAt, record.finishedAt, record.attempt],
        [startedAt, startedAt + 250, 1],
      );
      assert.deepEqual(record.detail?.attempts, []);
    },
  ),

  promise("a completed run without a result is told from a result", async (context) => {
    const [without, empty] = context.jobs(2);
    await context.enqueue(without, empty);
    await context.settle(await context.claimOne(without.id), { kind: "completed", result: undefined });
    await context.settle(await context.claimOne(empty.id), { kind: "completed", result: new Uint8Array(0) });
    assert.equal((await context.jobRecord(without.id)).bytes, undefined);
    assert.equal((await context.jobRecord(empty.id)).bytes?.length, 0);
  }),

  promise("settling again with the same fence answers repeated and changes nothing", async (context) => {
    const outcomes: SettledOutcome[] = [
      { kind: "completed", result: bytes("first") },
      { kind: "failed", error: bytes("first") },
      { kind: "retry", error: bytes("first"), due: context.now, counts: true },
      { kind: "retry", error: bytes("first"), due: context.now + 5_000, counts: true },
      { kind: "released" },
      { kind: "postponed", due: context.now + 5_000 },
      { kind: "interrupted" },
      { kind: "quarantined", error: bytes("first") },
    ];
    for (const outcome of outcomes) {
      const job = context.job();
      const follower = context.job();
      await context.enqueue(onError(job, follower));
      const run = await context.claimOne(job.id);
      assert.equal(await context.settle(run, outcome), "applied");
      const before = await context.jobRecord(job.id);
      const behind = await context.state(follower.id);
      context.advance(10);
      assert.equal(await context.settle(run, outcome), "repeated", outcome.kind);
      assert.equal(await context.complete(run, "second"), "repeated", outcome.kind);
      assert.equal(await context.fail(run, "second"), "repeated", outcome.kind);
      assert.deepEqual(await context.jobRecord(job.id), before);
      assert.equal(await context.state(follower.id), behind);
      if (isFinal(before.state)) continue;
      // The answer may have got lost for longer than it took the job to run again.
      context.advance(5_000);
      const next = await context.claimOne(job.id);
      assert.equal(await context.settle(run, outcome), "repeated", outcome.kind);
      assert.equal(await context.complete(next), "applied");
    }
  }),

  promise("settling with an older fence answers lost and changes nothing", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const old = await context.claimOne(job.id);
    assert.equal((await loseLease(context)).reaped.length, 1);
    const reaped = await context.jobRecord(job.id);
    assert.equal(await context.complete(old, "late"), "lost");
    assert.deepEqual(await context.jobRecord(job.id), reaped);

    context.advance(2 * LEASE);
    const run = await context.claimOne(job.id);
    const before = await context.jobRecord(job.id);
    assert.equal(await context.complete(old, "late"), "lost");
    assert.equal(await context.fail(old, "late"), "lost");
    assert.equal(await context.complete({ id: job.id, fence: run.fence + 1 }, "never"), "lost");
    assert.deepEqual(await context.jobRecord(job.id), before);
    assert.equal(await context.complete(run, "in time"), "applied");
    assert.equal(await context.complete(old, "late"), "lost");
    assert.equal(text((await context.jobRecord(job.id)).bytes), "in time");
  }),

  promise("settling a job of which nothing is known answers lost", async (context) => {
    const added = context.job();
    const other = context.job();
    await context.enqueue(other);
    const run = await context.claimOne(other.id);
    const unknown = { id: context.id(), fence: run.fence };
    const { settled } = await context.step({
      settled: [
        context.settlement(
          unknown,
          { kind: "completed", result: bytes("result") },
          {
            add: [{ end: added.id, jobs: [added], joins: [] }],
          },
        ),
        context.settlement({ id: "named by nobody", fence: 1 }, { kind: "failed", error: bytes("boom") }),
        context.settlement(run, { kind: "completed", result: bytes("mine") }),
      ],
    });
    assert.deepEqual(settled, ["lost", "lost", "applied"]);
    assert.deepEqual(await context.states(unknown.id, added.id, other.id), [
      undefined,
      undefined,
      "completed",
    ]);
  }),

  promise("a settlement and the next claim happen together", async (context) => {
    const [first, second, third] = context.jobs(3);
    await context.enqueue({
      end: second.id,
      joins: [],
      jobs: [first, after(second, [first.id])],
    });
    await context.enqueue(third);
    const run = await context.claimOne(first.id);
    const step = await context.claimStep({
      n: 5,
      settled: [context.settlement(run, { kind: "completed", result: bytes("one") })],
    });
    assert.deepEqual(step.settled, ["applied"]);
    assert.deepEqual(
      step.claimed.map((job) => job.id),
      [third.id, second.id].toSorted((a, b) => (a < b ? -1 : 1)),
    );
    const settled = step.claimed.map((job) =>
      context.settlement(job, { kind: "completed", result: undefined }),
    );
    assert.deepEqual((await context.claimStep({ n: 5, settled })).settled, ["applied", "applied"]);
    await failingAndClaiming(context);
  }),
]);

/** A run given back and claimed again within one step, whose answer may be asked for twice. */
async function failingAndClaiming(context: Context): Promise<void> {
  const job = context.job();
  await context.enqueue(job);
  let run = await context.claimOne(job.id);
  const outcomes: SettledOutcome[] = [
    { kind: "retry", error: undefined, due: context.now, counts: true },
    { kind: "released" },
    { kind: "interrupted" },
  ];
  for (const outcome of outcomes) {
    const step = await context.claimStep({ n: 1, settled: [context.settlement(run, outcome)] });
    assert.deepEqual(step.settled, ["applied"]);
    assert.equal(step.claimed[0]?.id, job.id);
    assert.ok(step.claimed[0].fence > run.fence);
    run = step.claimed[0];
  }
  assert.equal(await context.complete(run), "applied");
}
