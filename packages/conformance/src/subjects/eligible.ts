import assert from "node:assert/strict";
import { LEASE } from "../context.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const ids = (jobs: readonly { readonly id: string }[]): string[] => jobs.map((job) => job.id);

export const eligible: Subject = subject("step: what may be claimed", [
  promise("an expired job is never claimed and ends expired", async (context) => {
    const start = context.now;
    const expiresAt = start + 100;
    const [taken, missed] = context.jobs(2, { expiresAt });
    const late = context.job({ expiresAt, delay: 200 });
    const follower = context.job();
    const handler = context.job();
    const flow = { ...late };
    await context.enqueue(taken, missed, {
      end: follower.id,
      joins: [],
      jobs: [
        flow,
        { ...follower, after: [{ source: late.id, on: "completed" }] },
        { ...handler, after: [{ source: follower.id, on: "failed" }] },
      ],
    });
    context.now = expiresAt - 1;
    assert.deepEqual(ids(await context.claim({ n: 1 })), [taken.id]);
    context.now = expiresAt;
    const step = await context.claimStep({ n: 9 });
    assert.deepEqual(step.claimed, []);
    assert.ok(step.effects.some((effect) => effect.kind === "expired" && effect.id === missed.id));
    context.now = start + 200;
    assert.deepEqual(await context.claim({ n: 9 }), []);
    assert.deepEqual(await context.states(taken.id, missed.id, late.id, follower.id, handler.id), [
      "active",
      "expired",
      "expired",
      "skipped",
      "skipped",
    ]);
    const skipped = await context.jobRecord(follower.id);
    assert.deepEqual([skipped.reason, skipped.cause], ["expired", late.id]);
    const run = await context.jobRecord(missed.id);
    assert.deepEqual([run.attempt, run.fence, run.finishedAt], [0, 0, expiresAt]);
  }),

  promise("jobs of tasks that the owner does not know are parked and never lost", async (context) => {
    const strange = context.jobs(3, { task: "strange", priority: 9 });
    const known = context.job({ task: "known" });
    await context.enqueue(...strange, known);
    assert.deepEqual(ids(await context.claim({ n: 5, tasks: ["known"] })), [known.id]);
    for (const job of strange) {
      const record = await context.jobRecord(job.id);
      assert.deepEqual([record.state, record.gate, record.attempt], ["parked", "task:strange", 0]);
    }
    context.advance(30 * 86_400_000);
    assert.deepEqual(await context.claim({ n: 5, tasks: ["known"] }), []);
    await context.storage.purge({ queue: context.queue, limit: 100, now: context.now });
    assert.deepEqual(await context.states(...ids(strange)), ["parked", "parked", "parked"]);
  }),

  promise("an owner that announces a task is handed its parked jobs", async (context) => {
    const strange = context.jobs(3, { task: "strange" });
    const urgent = context.job({ task: "strange", priority: 1 });
    await context.enqueue(...strange, urgent);
    assert.deepEqual(await context.claim({ n: 5, tasks: ["known"] }), []);
    const second = await context.second();
    const { claimed } = await second.step({
      queue: context.queue,
      owner: "owner-2",
      request: 1,
      tasks: ["known", "strange"],
      settled: [],
      begun: [],
      claim: { begin: 3, ahead: 0, lease: 30_000 },
      now: context.now,
    });
    assert.deepEqual(ids(claimed), [urgent.id, at(strange, 0).id, at(strange, 1).id]);
    const fresh = context.job({ task: "strange" });
    await context.enqueue(fresh);
    const rest = await context.claim({ n: 5, tasks: ["strange"] });
    assert.deepEqual(ids(rest), [at(strange, 2).id, fresh.id]);
  }),

  promise("only the ids asked for are claimed", async (context) => {
    const jobs = context.jobs(5);
    const later = context.job({ delay: 1_000 });
    await context.enqueue(...jobs, later);
    const wanted = [at(jobs, 3).id, at(jobs, 1).id, later.id, "unknown"];
    assert.deepEqual(
      ids(await context.claim({ n: 9, ids: wanted })).toSorted(),
      [at(jobs, 1).id, at(jobs, 3).id].toSorted(),
    );
    assert.deepEqual(await context.claim({ n: 9, ids: wanted }), []);
    assert.deepEqual(ids(await context.claim({ n: 1, ids: [at(jobs, 4).id, at(jobs, 2).id] })).length, 1);
    assert.deepEqual(await context.claim({ n: 9, ids: [] }), []);
    assert.equal(await context.state(at(jobs, 0).id), "ready");
  }),

  promise("only ungated at-least-once jobs are claimed ahead", async (context) => {
    const plain = context.jobs(3, { priority: 1 });
    const once = context.job({ delivery: "at-most-once" });
    const gate = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;
    const gated = context.job({ gates: [gate] });
    await context.enqueue(...plain, once, gated);
    const step = await context.claimStep({ n: 1, ahead: 9 });
    for (const { id, begun, guards, leaseUntil } of step.claimed) {
      assert.deepEqual([guards, leaseUntil], [undefined, context.now + LEASE]);
      assert.equal((await context.jobRecord(id)).startedAt, begun ? context.now : undefined);
    }
    assert.deepEqual(
      step.claimed.map(({ id, begun, attempt, delivery }) => ({ id, begun, attempt, delivery })),
      plain.map(({ id }, index) => ({ id, begun: index === 0, attempt: 1, delivery: "at-least-once" })),
    );
    assert.deepEqual(await context.claim({ n: 0, ahead: 9 }), []);
    assert.deepEqual(await context.states(once.id, gated.id), ["ready", "ready"]);
    const rest = await context.claim({ n: 9, ahead: 9 });
    assert.deepEqual(
      rest.map(({ id, begun }) => [id, begun]),
      [
        [once.id, true],
        [gated.id, true],
      ],
    );
    assert.deepEqual(rest[0]?.delivery, "at-most-once");
    assert.deepEqual(rest[1]?.guards?.gates.length, 1);
  }),
]);
