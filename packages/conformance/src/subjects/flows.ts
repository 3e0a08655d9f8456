import assert from "node:assert/strict";
import type { JobSource, SettledOutcome, Source } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { after, chain, follow, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at, exactly } from "../tuple.js";

export const flows: Subject = subject("step: flows", [
  promise("a completed stage makes the next one ready with its result as source", async (context) => {
    const [first, second, third] = context.jobs(3);
    await context.enqueue(chain(first, second, third));
    const run = await context.claimOne();
    assert.equal(run.id, first.id);
    assert.equal(run.sources, undefined);
    const result: SettledOutcome = { kind: "completed", result: bytes("one") };
    const { effects } = await context.step({ settled: [context.settlement(run, result)] });
    assert.deepEqual(
      effects.map(({ id, kind }) => [id, kind]),
      [[second.id, "readied"]],
    );
    assert.deepEqual(await context.states(second.id, third.id), ["ready", "blocked"]);
    const next = await context.claimOne();
    assert.equal(next.id, second.id);
    assert.deepEqual(next.sources?.map(shown), [
      {
        id: first.id,
        task: "work",
        state: "completed",
        fence: run.fence,
        attempt: 1,
        bytes: "one",
        left: false,
      },
    ]);
    assert.deepEqual(next.guards?.after, [first.id]);
    await context.complete(next);
    const last = await context.claimOne();
    const [source] = last.sources ?? [];
    assert.equal(source?.kind, "job");
    assert.deepEqual(source?.kind === "job" ? [source.id, source.bytes, source.left] : [], [
      second.id,
      undefined,
      false,
    ]);

    const [a, b, both] = context.jobs(3);
    await context.enqueue(a, b);
    await context.enqueue(after(both, [b.id, a.id]));
    await context.runToEnd(a.id, "a");
    assert.equal(await context.state(both.id), "blocked");
    await context.runToEnd(b.id, "b");
    const joined = await context.claimOne(both.id);
    assert.deepEqual(
      joined.sources?.map((one) => one.kind === "job" && text(one.bytes)),
      ["b", "a"],
    );
    const late = context.job({ delay: 5_000 });
    const root = context.job();
    await context.enqueue(chain(root, late));
    await context.runToEnd(root.id);
    assert.equal(await context.state(late.id), "scheduled", "its own instant is still to come");
  }),

  promise("a failed stage makes every later stage skipped with its cause", async (context) => {
    const [first, second, third] = context.jobs(3);
    await context.enqueue(chain(first, second, third));
    const run = await context.claimOne(first.id);
    const step = await context.step({
      settled: [context.settlement(run, { kind: "failed", error: bytes("boom") })],
    });
    for (const stage of [second, third]) {
      const record = await context.jobRecord(stage.id);
      assert.deepEqual(
        [record.state, record.reason, record.cause, record.finishedAt, record.attempt],
        ["skipped", "failed", first.id, context.now, 0],
      );
      const effect = step.effects.find(({ id }) => id === stage.id);
      assert.deepEqual([effect?.kind, effect?.reason, effect?.cause], ["skipped", "failed", first.id]);
    }
    assert.deepEqual(await context.claim({ n: 5 }), []);
    const [alone, always, third2] = context.jobs(3);
    await context.enqueue(chain(follow(alone, always, "settled"), third2));
    await context.runToFailure(alone.id, "boom");
    assert.deepEqual(await context.states(always.id, third2.id), ["ready", "blocked"]);
    const settled = await context.claimOne(always.id);
    assert.deepEqual(
      settled.sources?.map((one) => one.kind === "job" && [one.state, text(one.bytes)]),
      [["failed", "boom"]],
    );
  }),

  promise("a cancelled stage makes every later stage skipped, and no error handler runs", async (context) => {
    const [first, second, third, handler] = context.jobs(4);
    await context.enqueue(onError(chain(first, second, third), handler));
    await context.runToEnd(first.id);
    const run = await context.claimOne(second.id);
    await context.settle(run, { kind: "cancelled", reason: "asked for" });
    assert.deepEqual(await context.states(second.id, third.id, handler.id), [
      "cancelled",
      "skipped",
      "skipped",
    ]);
    const record = await context.jobRecord(third.id);
    assert.deepEqual([record.reason, record.cause], ["cancelled", second.id]);
    assert.deepEqual(await context.claim({ n: 5 }), []);

    const [end, alert] = context.jobs(2);
    await context.enqueue(onError(end, alert));
    await context.settle(await context.claimOne(end.id), { kind: "cancelled", reason: "asked for" });
    assert.equal(await context.state(alert.id), "skipped");
  }),

  promise(
    "an error handler becomes ready once, when the end of its flow fails, with the job that failed as source",
    async (context) => {
      const [first, second, third, handler] = context.jobs(4);
      await context.enqueue(onError(chain(first, second, third), handler));
      const retried = await context.claimOne(first.id);
      await context.settle(retried, { kind: "retry", error: bytes("early"), due: context.now, counts: true });
      assert.equal(await context.state(handler.id), "blocked", "a retry is no failure of the flow");
      const run = await context.runToFailure(first.id, "boom");
      assert.deepEqual(await context.states(second.id, third.id, handler.id), [
        "skipped",
        "skipped",
        "ready",
      ]);
      const claimed = await context.claimOne();
      assert.equal(claimed.id, handler.id);
      assert.deepEqual(claimed.sources?.map(shown), [
        {
          id: first.id,
          task: "work",
          state: "failed",
          fence: run.fence,
          attempt: 2,
          bytes: "boom",
          left: false,
        },
      ]);
      await context.complete(claimed);
      assert.deepEqual(await context.claim({ n: 5 }), []);
      assert.equal((await context.jobRecord(handler.id)).attempt, 1);

      const [one, two, alert] = context.jobs(3);
      await context.enqueue(onError(context.group([one, two]), alert));
      const [runOne, runTwo] = exactly(await context.claim({ n: 2 }), 2);
      await context.fail(runTwo, "second");
      const handling = await context.claimOne();
      assert.deepEqual([handling.id, handling.sources?.[0]?.id], [alert.id, two.id]);
      await context.complete(handling);
      await context.fail(runOne, "first");
      assert.deepEqual(await context.claim({ n: 5 }), []);
      assert.equal(await context.state(alert.id), "completed");
    },
  ),

  promise("an error handler of a flow that completes is skipped", async (context) => {
    const [first, second, handler] = context.jobs(3);
    await context.enqueue(onError(chain(first, second), handler));
    await context.runToEnd(first.id);
    assert.equal(await context.state(handler.id), "blocked");
    await context.runToEnd(second.id);
    const record = await context.jobRecord(handler.id);
    assert.deepEqual([record.state, record.reason], ["skipped", "completed"]);
    assert.deepEqual(await context.claim({ n: 5 }), []);
  }),

  promise("sources above 64 KiB are left out and read by id", async (context) => {
    const sizes = [
      { sizes: [65_536], left: false },
      { sizes: [65_537], left: true },
      { sizes: [40_000, 20_000], left: false },
      { sizes: [40_000, 40_000, 10], left: true },
    ];
    for (const { sizes: lengths, left } of sizes) {
      const members = context.jobs(lengths.length);
      const sum = context.job();
      const part = members.length === 1 ? at(members, 0) : context.group(members);
      await context.enqueue(chain(part, sum));
      for (const [index, member] of members.entries()) {
        await context.runToEnd(member.id, String(index).repeat(at(lengths, index)));
      }
      const run = await context.claimOne(sum.id);
      const sources = run.sources?.flatMap((one): readonly Source[] =>
        one.kind === "join" ? one.members : [one],
      );
      assert.deepEqual(
        sources?.map((one) => (one.kind === "job" ? [one.id, one.bytes?.length, one.left] : [])),
        members.map((member, index) => [member.id, left ? undefined : lengths[index], left]),
        `sources of ${lengths.join(" and ")} bytes`,
      );
      const ids = members.map((member) => member.id);
      const records = await context.storage.read({ queue: context.queue, ids, now: context.now });
      assert.deepEqual(
        records.map((record) => (record?.kind === "job" ? text(record.bytes) : undefined)),
        lengths.map((length, index) => String(index).repeat(length)),
      );
      await context.complete(run);
    }
  }),
]);

/** What a source tells, with its bytes as text. */
function shown(source: Source): Partial<Omit<JobSource, "bytes">> & { readonly bytes: string | undefined } {
  assert.equal(source.kind, "job");
  const { id, task, state, fence, attempt, left, bytes: value } = source;
  return { id, task, state, fence, attempt, bytes: text(value), left };
}
