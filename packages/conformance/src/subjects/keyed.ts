import assert from "node:assert/strict";
import type { NewGate, NewUnique, SettledOutcome } from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import { chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const lock = (key: string): NewGate => ({ kind: "lock", key, max: 1, per: undefined, onBusy: "wait" });
const completed: SettledOutcome = { kind: "completed", result: undefined };
const unique = (key: string, until: NewUnique["until"] = "final"): NewUnique => ({
  key,
  until,
  onConflict: "ignore",
});
const keyed = (
  body: string,
  { gates, unique: key }: { readonly gates?: readonly NewGate[]; readonly unique?: NewUnique } = {},
): SettledOutcome => ({ kind: "keyed", body: bytes(body), gates, unique: key });

export const keyedRuns: Subject = subject("step: runs given back with keys", [
  promise("a run given back with its keys waits by them, in its place and uncounted", async (context) => {
    const holder = context.job({ gates: [lock("door")] });
    const [first, stage] = context.jobs(2);
    await context.enqueue(holder, chain(first, stage));
    const holding = await context.claimOne(holder.id);
    await context.runToEnd(first.id, "key: door");
    context.advance(10);
    const behind = context.job();
    await context.enqueue(behind);
    const run = await context.claimOne();
    assert.deepEqual([run.id, run.attempt, run.guards?.gates], [stage.id, 1, []]);
    context.advance(10);
    assert.equal(await context.settle(run, keyed("with keys", { gates: [lock("door")] })), "applied");
    const back = await context.jobRecord(stage.id);
    assert.deepEqual(
      [back.state, back.attempt, back.failures, back.crashes, back.due, text(back.detail?.body)],
      ["ready", 0, 0, 0, run.due, "with keys"],
    );
    assert.deepEqual(back.detail?.attempts, []);
    assert.deepEqual(
      (await context.claim({ n: 5 })).map(({ id }) => id),
      [behind.id],
    );
    assert.deepEqual((await context.jobRecord(stage.id)).gate, "door");
    await context.complete(holding);
    assert.equal(await context.settle(run, keyed("late", {})), "repeated");
    const again = await context.claimOne();
    assert.deepEqual([again.id, again.attempt, again.guards?.gates], [stage.id, 1, ["door"]]);
    assert.equal(text(again.body), "with keys");
    const [source] = again.sources ?? [];
    assert.equal(source?.kind === "job" ? text(source.bytes) : undefined, "key: door");
    assert.equal(await context.settle(run, keyed("later", {})), "repeated");
    const next = context.job({ gates: [lock("door")] });
    await context.enqueue(next);
    assert.deepEqual(await context.claim(), [], "it holds its gate");
    await context.complete(again, "done");
    assert.deepEqual(text((await context.jobRecord(stage.id)).bytes), "done");
    assert.equal((await context.claimOne()).id, next.id);
  }),

  promise("a run given back with a unique key that is taken waits until it is free", async (context) => {
    const holder = context.job({ unique: unique("report"), delay: 1_000 });
    const [first, stage] = context.jobs(2);
    await context.enqueue(holder, chain(first, stage));
    await context.runToEnd(first.id);
    const run = await context.claimOne(stage.id);
    assert.equal(await context.settle(run, keyed("with keys", { unique: unique("report") })), "applied");
    const parked = await context.jobRecord(stage.id);
    assert.deepEqual([parked.state, parked.gate, parked.attempt], ["parked", "unique:report", 0]);
    context.advance(1_000);
    await context.runToEnd(holder.id);
    const again = await context.claimOne();
    assert.deepEqual([again.id, again.guards?.unique], [stage.id, "report"]);
    const other = context.job({ unique: unique("report") });
    assert.deepEqual((await context.enqueue(other)).flows, [
      { status: "existing", id: stage.id, state: "active" },
    ]);
    await context.complete(again);
    assert.equal((await context.enqueue(other)).flows[0]?.status, "stored");
    const [source, behind, before, late] = context.jobs(4);
    const waiting = { ...behind, unique: unique("report") };
    await context.enqueue(chain(source, waiting), chain(before, late));
    for (const { id } of [source, before]) await context.runToEnd(id);
    assert.equal(await context.state(waiting.id), "parked");
    const ending = await context.claimOne(other.id);
    const back = keyed("with keys", { unique: unique("report") });
    const giving = await context.claimOne(late.id);
    const settled = [context.settlement(ending, completed), context.settlement(giving, back)];
    assert.deepEqual((await context.step({ settled })).settled, ["applied", "applied"]);
    assert.deepEqual(
      await context.states(waiting.id, late.id),
      ["ready", "parked"],
      "it waits behind others",
    );
  }),

  promise("keys that a run is given back with stand in place of those it had", async (context) => {
    const job = context.job({ gates: [lock("old")], unique: unique("old", context.now + 60_000) });
    const line = context.job({ gates: [lock("old")] });
    await context.enqueue(job, line);
    const run = await context.claimOne(job.id);
    assert.deepEqual(await context.claim(), []);
    const keys = { gates: [lock("new")], unique: unique("new") };
    const answer = await context.step({ settled: [context.settlement(run, keyed("new keys", keys))] });
    assert.deepEqual(answer.settled, ["applied"]);
    const [freed] = context.jobs(1, { unique: unique("old") });
    const [taken] = context.jobs(1, { unique: unique("new") });
    const { flows } = await context.enqueue(freed, taken);
    assert.deepEqual(
      [at(flows, 0).status, at(flows, 1)],
      ["stored", { status: "existing", id: job.id, state: "ready" }],
    );
    const runs = await context.claim({ n: 5 });
    assert.deepEqual(
      runs.map(({ id, guards }) => [id, guards?.gates, guards?.unique]),
      [
        [job.id, ["new"], "new"],
        [line.id, ["old"], undefined],
        [freed.id, [], "old"],
      ],
    );
    assert.equal(await context.settle(at(runs, 0), keyed("no keys")), "applied");
    const plain = await context.claimOne();
    assert.deepEqual([plain.id, plain.guards, text(plain.body)], [job.id, undefined, "no keys"]);
    assert.equal((await context.enqueue(taken)).flows[0]?.status, "stored");

    const [holder, behind] = context.jobs(2, { unique: { ...unique("same"), onConflict: "replace" } });
    await context.enqueue(holder);
    const held = await context.claimOne(holder.id);
    await context.enqueue(behind);
    await context.settle(held, keyed("the same key", { unique: unique("same") }));
    assert.deepEqual(await context.states(holder.id, behind.id), ["parked", "ready"], "its turn was over");
    await context.runToEnd(behind.id);
    await context.runToEnd(holder.id);

    await context.storage.amend({
      queue: context.queue,
      ids: [job.id],
      change: { kind: "revoke", scope: "later" },
      now: context.now,
    });
    assert.equal(await context.settle(plain, keyed("too late", keys)), "applied");
    const revoked = await context.jobRecord(job.id);
    assert.deepEqual([revoked.state, revoked.reason], ["cancelled", "revoked"]);
  }),
]);
