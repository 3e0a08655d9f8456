import assert from "node:assert/strict";
import type { EnqueueAnswer, NewJob, NewUnique, SettledOutcome } from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import type { Context } from "../context.js";
import { after, chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at, exactly } from "../tuple.js";

const key = (unique: Partial<NewUnique> = {}): { unique: NewUnique } => ({
  unique: { key: "report", until: "final", onConflict: "ignore", ...unique },
});
const replace = key({ onConflict: "replace" });
const statusOf = ({ flows }: EnqueueAnswer): unknown => flows.map(({ status, id }) => [status, id]);

export const unique: Subject = subject("unique keys", [
  promise("a unique key that is taken answers its holder, and stores nothing", async (context) => {
    const holder = context.job({ ...key(), delay: 500 });
    await context.enqueue(holder);
    const second = chain(context.job(key()), context.job());
    const other = context.job(key({ key: "another" }));
    const answer = await context.enqueue(second, other);
    assert.deepEqual(answer.flows, [
      { status: "existing", id: holder.id, state: "scheduled" },
      { status: "stored", id: other.id, state: "ready" },
    ]);
    assert.deepEqual(await context.states(...second.jobs.map((job) => job.id)), [undefined, undefined]);

    const twins = [context.job(key({ key: "twin" })), context.job(key({ key: "twin" }))];
    const both = await context.enqueue(...twins);
    assert.deepEqual(
      both.flows.map(({ status, id }) => [status, id]),
      [
        ["stored", at(twins, 0).id],
        ["existing", at(twins, 0).id],
      ],
    );
    await context.open("elsewhere");
    const elsewhere = context.job(key());
    assert.equal((await context.enqueue(elsewhere)).flows[0]?.status, "stored", "keys are of one queue");
  }),

  promise(
    "a unique key whose holder expired while it waited is free for a new job, unless it is taken until an instant",
    async (context) => {
      const expiresAt = context.now + 100;
      const ready = context.job({ ...key(), expiresAt });
      const follower = context.job();
      const scheduled = context.job({ ...key({ key: "later", until: "started" }), expiresAt, delay: 500 });
      const throttled = context.job({ ...key({ key: "throttle", until: context.now + 300 }), expiresAt });
      await context.enqueue(chain(ready, follower), scheduled, throttled);
      const renewed = (): NewJob[] => [
        context.job(key()),
        context.job(key({ key: "later", until: "started" })),
        context.job(key({ key: "throttle", until: context.now + 300 })),
      ];
      context.now = expiresAt - 1;
      const early = [ready, scheduled, throttled].map(({ id }) => ["existing", id]);
      assert.deepEqual(statusOf(await context.enqueue(...renewed())), early);
      context.now = expiresAt;
      const jobs = renewed();
      const answer = await context.enqueue(...jobs);
      const [first, second] = jobs.map(({ id }) => id) as [string, string];
      assert.deepEqual(statusOf(answer), [
        ["stored", first],
        ["stored", second],
        ["existing", throttled.id],
      ]);
      const told = answer.effects.filter(({ kind }) => kind === "expired").map(({ id }) => id);
      assert.deepEqual(told, [ready.id, scheduled.id]);
      const states = await context.states(ready.id, follower.id, scheduled.id, throttled.id);
      assert.deepEqual(states, ["expired", "skipped", "expired", "ready"]);
      const again = await context.enqueue(context.job(key()));
      assert.deepEqual(statusOf(again), [["existing", first]], "the new job has the key");
      const claimed = await context.claim({ n: 9 });
      assert.deepEqual(
        claimed.map(({ id }) => id),
        [first, second],
      );

      // One that runs has started in time.
      context.advance(200);
      const late = context.job({ ...key({ key: "runs" }), expiresAt: context.now + 10 });
      await context.enqueue(late);
      await context.claim({ n: 9 });
      context.advance(10);
      const behind = await context.enqueue(context.job(key({ key: "runs" })));
      assert.deepEqual(statusOf(behind), [["existing", late.id]]);
    },
  ),

  promise(
    "a group is stored although the unique key of a member is taken: that member waits for it, and nobody else",
    async (context) => {
      const holder = context.job({ ...key(), delay: 500 });
      await context.enqueue(holder);
      const members = [context.job(key()), context.job(), context.job(key({ key: "another" }))];
      const callback = context.job();
      const flow = chain(context.group(members), callback);
      const answer = await context.enqueue(flow);
      assert.deepEqual(
        answer.flows.map(({ status, id }) => [status, id]),
        [["stored", callback.id]],
      );
      const ids = members.map(({ id }) => id);
      assert.deepEqual(await context.states(...ids), ["parked", "ready", "ready"]);
      for (const id of ids.slice(1)) await context.runToEnd(id);
      assert.deepEqual(await context.states(at(ids, 0), callback.id), ["parked", "blocked"]);
      context.advance(500);
      await context.runToEnd(holder.id);
      await context.runToEnd(at(ids, 0));
      assert.equal(await context.state(callback.id), "ready");
    },
  ),

  promise("a unique key with replace cancels the waiting holder and stores the new job", async (context) => {
    const follower = context.job();
    const holder = chain(context.job(replace), follower);
    await context.enqueue(holder);
    const next = context.job(replace);
    const { flows, effects } = await context.enqueue(next);
    assert.deepEqual(flows, [{ status: "stored", id: next.id, state: "ready" }]);
    const record = await context.jobRecord(at(holder.jobs, 0).id);
    assert.deepEqual([record.state, record.reason], ["cancelled", "replaced"]);
    const skipped = await context.jobRecord(follower.id);
    assert.deepEqual([skipped.state, skipped.reason, skipped.cause], ["skipped", "cancelled", record.id]);
    const cancelled = effects.find((effect) => effect.kind === "cancelled");
    assert.deepEqual([cancelled?.id, cancelled?.reason], [record.id, "replaced"]);

    const last = context.job({ ...replace, delay: 1_000 });
    await context.enqueue(last);
    assert.deepEqual(await context.states(next.id, last.id), ["cancelled", "scheduled"]);
    context.advance(1_000);
    assert.deepEqual(
      (await context.claim({ n: 5 })).map((job) => job.id),
      [last.id],
    );
  }),

  promise("whoever is replaced though it has expired ends expired", async (context) => {
    const [waiting, active, next] = context.jobs(3, replace);
    const expiresAt = context.now + 1_000;
    const holder = context.job({ ...replace, expiresAt });
    const behind = context.job({ ...replace, expiresAt: expiresAt + 1_000 });
    await context.enqueue(holder);
    context.advance(1_000);
    const { effects } = await context.enqueue(active);
    assert.deepEqual(
      effects.map(({ id, kind, reason }) => [id, kind, reason]),
      [[holder.id, "expired", undefined]],
    );
    const run = await context.claimOne(active.id);
    await context.enqueue(behind);
    context.advance(1_000);
    await context.enqueue(waiting);
    assert.deepEqual(await context.states(holder.id, behind.id, waiting.id), [
      "expired",
      "expired",
      "parked",
    ]);
    assert.equal((await context.jobRecord(behind.id)).reason, undefined);
    await context.complete(run);
    await context.runToEnd(waiting.id);
    await context.enqueue(next);
    await context.runToEnd(next.id);
  }),

  promise(
    "a unique key with replace behind an active holder waits for it, and a further one replaces that",
    async (context) => {
      const [holder, second, third] = context.jobs(3, replace);
      await context.enqueue(holder);
      const run = await context.claimOne(holder.id);
      const answer = await context.enqueue(second);
      assert.deepEqual(answer.flows, [{ status: "stored", id: second.id, state: "parked" }]);
      assert.equal((await context.jobRecord(second.id)).gate, "unique:report");
      await context.enqueue(third);
      const replaced = await context.jobRecord(second.id);
      assert.deepEqual([replaced.state, replaced.reason], ["cancelled", "replaced"]);
      assert.deepEqual(await context.states(holder.id, third.id), ["active", "parked"]);
      assert.deepEqual(await context.claim({ n: 5 }), []);

      await context.complete(run, "done");
      assert.equal(await context.state(third.id), "ready");
      const ignored = await context.enqueue(context.job(key()));
      assert.deepEqual(ignored.flows, [{ status: "existing", id: third.id, state: "ready" }]);
      await context.runToEnd(third.id);
    },
  ),

  promise("a unique key until started is free once its job starts", async (context) => {
    const started = key({ until: "started" });
    const [first, second, third] = context.jobs(3, started);
    await context.enqueue(first);
    assert.equal((await context.enqueue(second)).flows[0]?.id, first.id);
    const [ahead] = await context.claim({ n: 0, ahead: 1 });
    assert.equal(ahead?.id, first.id);
    assert.equal((await context.enqueue(second)).flows[0]?.status, "existing", "claimed ahead is not begun");
    await context.step({ begun: [ahead] });
    assert.equal((await context.enqueue(second)).flows[0]?.status, "stored");
    assert.equal((await context.enqueue(third)).flows[0]?.id, second.id);
    await context.claimOne(second.id);
    assert.equal((await context.enqueue(third)).flows[0]?.status, "stored");
  }),

  promise("a unique key until final is free once its job is final", async (context) => {
    const outcomes: SettledOutcome[] = [
      { kind: "completed", result: undefined },
      { kind: "failed", error: bytes("boom") },
      { kind: "cancelled", reason: "for a test" },
      { kind: "skipped", reason: "for a test" },
      { kind: "quarantined", error: bytes("unreadable") },
    ];
    for (const outcome of outcomes) {
      const holder = context.job(key());
      assert.equal((await context.enqueue(holder)).flows[0]?.status, "stored", `before ${outcome.kind}`);
      const run = await context.claimOne(holder.id);
      assert.equal((await context.enqueue(context.job(key()))).flows[0]?.id, holder.id);
      await context.settle(run, { kind: "retry", error: undefined, due: context.now, counts: true });
      assert.equal((await context.enqueue(context.job(key()))).flows[0]?.id, holder.id);
      const again = await context.claimOne(holder.id);
      assert.equal(await context.settle(again, outcome), "applied");
    }
    await followersWait(context);

    // More than a step writes down at once.
    const first = context.job();
    const others = context.jobs(600);
    const last = context.job(key({ key: "of the last" }));
    await context.enqueue(context.group([first, ...others, last]));
    await context.runToFailure(first.id, "boom");
    const next = context.job(key({ key: "of the last" }));
    const { flows } = await context.enqueue(next);
    assert.deepEqual(flows, [{ status: "stored", id: next.id, state: "ready" }]);
    assert.equal(await context.state(last.id), "skipped");
  }),

  promise("a unique key until an instant is free from that instant", async (context) => {
    const until = context.now + 1_000;
    const holder = context.job(key({ until }));
    await context.enqueue(holder);
    await context.runToEnd(holder.id);
    context.now = until - 1;
    const early = await context.enqueue(context.job(key({ until: until + 500 })));
    assert.deepEqual(early.flows, [{ status: "existing", id: holder.id, state: "completed" }]);
    context.now = until;
    const next = context.job(key({ until: until + 500 }));
    assert.equal((await context.enqueue(next)).flows[0]?.status, "stored");
    assert.equal((await context.enqueue(context.job(key({ until: until + 900 })))).flows[0]?.id, next.id);
  }),

  promise(
    "a unique key goes to whoever has waited for it longest, whatever the priorities",
    async (context) => {
      const [first, second] = [context.job(), context.job()];
      const holder = context.job(key());
      const [patient, urgent] = [context.job(key()), context.job({ ...key(), priority: 9 })];
      await context.enqueue(holder, chain(first, patient), chain(second, urgent));
      for (const { id } of [first, second]) {
        await context.runToEnd(id);
        context.advance(10);
      }
      assert.deepEqual(await context.states(patient.id, urgent.id), ["parked", "parked"]);
      await context.runToEnd(holder.id);
      assert.deepEqual(await context.states(patient.id, urgent.id), ["ready", "parked"]);
      await context.runToEnd(patient.id);
      await context.runToEnd(urgent.id);
    },
  ),

  promise("a unique key goes to none of those that end together with its holder", async (context) => {
    const ends: readonly (readonly [scope: "flow" | "later", state: string])[] = [
      ["later", "skipped"],
      ["flow", "cancelled"],
    ];
    for (const [scope, state] of ends) {
      const holder = context.job(key());
      const behind = context.job(key({ until: context.now + 5_000 }));
      const member = context.job();
      await context.enqueue(context.group([holder, behind, member]));
      assert.deepEqual(await context.states(holder.id, behind.id), ["ready", "parked"]);
      await context.storage.amend({
        queue: context.queue,
        ids: [member.id],
        change: { kind: "revoke", scope },
        now: context.now,
      });
      assert.deepEqual(await context.states(holder.id, behind.id), [state, state]);
      const next = context.job(key());
      const { flows } = await context.enqueue(next);
      assert.deepEqual(flows, [{ status: "stored", id: next.id, state: "ready" }], scope);
      await context.runToEnd(next.id);
    }
    await holderFails(context);
    await holderExpires(context);
  }),
]);

/** A new job finds the holder expired, and those in line are of its group. */
async function holderExpires(context: Context): Promise<void> {
  const holder = context.job({ ...key(), expiresAt: context.now + 1_000 });
  const behind = context.jobs(2, key());
  const group = context.group([context.group([holder, behind[0]]), behind[1]]);
  await context.enqueue(group);
  context.advance(1_000);
  const next = context.job(key());
  const { flows } = await context.enqueue(next);
  assert.deepEqual(flows, [{ status: "stored", id: next.id, state: "ready" }]);
  assert.deepEqual(await context.states(holder.id, behind[0].id, behind[1].id), [
    "expired",
    "skipped",
    "skipped",
  ]);
  await context.runToEnd(next.id);
}

/** Whoever waits for the key of a member that fails ends with their group, or with one around it. */
async function holderFails(context: Context): Promise<void> {
  for (const depth of [0, 1, 2]) {
    const holder = context.job(key());
    const behind = context.job(key({ until: context.now + 5_000 }));
    let part = context.group([context.job(), holder, ...(depth === 0 ? [behind] : [])]);
    if (depth > 0) part = context.group([part, behind]);
    if (depth > 1) part = context.group([part]);
    await context.enqueue(part);
    await context.runToFailure(holder.id);
    assert.equal(await context.state(behind.id), "skipped");
    const next = context.job(key());
    const { flows } = await context.enqueue(next);
    assert.deepEqual(flows, [{ status: "stored", id: next.id, state: "ready" }], `depth ${depth}`);
    await context.runToEnd(next.id);
  }
}

/** A follower meets its key when its turn comes, and then waits in line. */
async function followersWait(context: Parameters<Subject["promises"][number]["check"]>[0]): Promise<void> {
  const source = context.job();
  const holder = context.job(key());
  const followers = [after(context.job(key()), [source.id]), after(context.job(key()), [source.id])];
  await context.enqueue(source, holder);
  const answer = await context.enqueue(...followers);
  assert.deepEqual(
    answer.flows.map(({ status }) => status),
    ["stored", "stored"],
  );
  await context.runToEnd(source.id);
  await context.claim({ n: 5, ids: followers.map((job) => job.id) });
  assert.deepEqual(await context.states(...followers.map((job) => job.id)), ["parked", "parked"]);
  await context.runToEnd(holder.id);
  for (const follower of followers) {
    const [run] = exactly(await context.claim({ n: 5 }), 1);
    assert.equal(run.id, follower.id, "one after the other");
    await context.complete(run);
  }
}
