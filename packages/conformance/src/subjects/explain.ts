import assert from "node:assert/strict";
import type { ExplainCause, ExplainFact, NewGate } from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import { LEASE, OWNER, type Context } from "../context.js";
import { chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";

const LOCK: NewGate = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" };
const SLOT: NewGate = { kind: "concurrency", key: "slot", max: 1, per: undefined, onBusy: "wait" };

async function explain(context: Context, id: string, tasks?: readonly string[]): Promise<ExplainFact> {
  const { storage, queue, now } = context;
  const facts = await storage.explain({ queue, ids: [id], tasks, now });
  assert.equal(facts.length, 1, "explaining answers each id");
  assert.equal(facts[0]?.id, id);
  return facts[0];
}

type CauseOf<Code, Cause = ExplainCause> = Cause extends { readonly code: infer Known }
  ? Code extends Known
    ? Cause
    : never
  : never;

async function cause<Code extends ExplainCause["code"]>(
  context: Context,
  id: string,
  code: Code,
  tasks?: readonly string[],
): Promise<CauseOf<Code>> {
  const { causes } = await explain(context, id, tasks);
  const found = causes.find((candidate) => candidate.code === code);
  assert.ok(found !== undefined, `expected ${code}, got ${JSON.stringify(causes)}`);
  return found as CauseOf<Code>;
}

async function gates(context: Context): Promise<void> {
  const [holder, waiting, behind] = context.jobs(3, { gates: [LOCK] });
  await context.enqueue(holder, waiting, behind);
  await context.claimOne(holder.id);
  assert.deepEqual(await context.claim({ n: 3 }), []);
  const locked = await cause(context, waiting.id, "locked");
  assert.equal(locked.gate, LOCK.key);
  assert.deepEqual(locked.holders, [holder.id]);
  assert.equal((await cause(context, behind.id, "locked")).ahead, locked.ahead + 1);
  const [busy, next] = context.jobs(2, { gates: [SLOT] });
  await context.enqueue(busy, next);
  await context.claimOne(busy.id);
  assert.deepEqual(await context.claim({ n: 3 }), []);
  const unique = { key: "one", until: "final", onConflict: "ignore" } as const;
  const [first, source, stage] = [context.job({ unique }), context.job(), context.job({ unique })];
  await context.enqueue(first, chain(source, stage));
  await context.runToEnd(source.id);
  assert.deepEqual((await cause(context, stage.id, "locked")).holders, [first.id]);
  await context.runToEnd(first.id);
  await context.runToEnd(stage.id);
  const slot = await cause(context, next.id, "no-slot");
  assert.equal(slot.gate, SLOT.key);
  assert.deepEqual(slot.holders, [busy.id]);
}

async function runs(context: Context): Promise<void> {
  const [running, blocked] = context.jobs(2);
  await context.enqueue(chain(running, blocked));
  assert.deepEqual((await cause(context, blocked.id, "blocked")).by, [running.id]);
  const run = await context.claimOne(running.id);
  const { owner, since, leaseUntil } = await cause(context, running.id, "running");
  assert.deepEqual([owner, since, leaseUntil], [OWNER, context.now, context.now + LEASE]);
  const due = context.now + 5_000;
  await context.settle(run, { kind: "retry", error: bytes("boom"), due, counts: true });
  const { failures, at } = await cause(context, running.id, "retrying");
  assert.deepEqual([failures, at], [1, due]);
  context.advance(5_000);
  await context.runToFailure(running.id);
  assert.equal((await explain(context, running.id)).state, "failed");
  await cause(context, running.id, "final");
  assert.equal((await cause(context, blocked.id, "final")).cause, running.id);
}

async function groups(context: Context): Promise<void> {
  const [done, failing, callback] = context.jobs(3);
  const group = context.group([done, failing]);
  await context.enqueue(chain(group, callback));
  await context.runToEnd(done.id);
  assert.deepEqual((await cause(context, group.end, "blocked")).by, [failing.id]);
  assert.deepEqual((await cause(context, callback.id, "blocked")).by, [group.end]);
  await context.runToFailure(failing.id);
  const { state, task } = await explain(context, group.end);
  assert.deepEqual([state, task], ["failed", undefined]);
  assert.equal((await cause(context, group.end, "final")).cause, failing.id);
}

async function parkedTasks(context: Context): Promise<void> {
  const [paused, unknown] = [context.job({ task: "paused" }), context.job({ task: "unknown" })];
  await context.enqueue(paused, unknown);
  await control(context, "paused", "pause");
  assert.deepEqual(await context.claim({ n: 5, tasks: ["paused"] }), []);
  assert.equal((await cause(context, paused.id, "paused")).task, "paused");
  assert.equal((await cause(context, unknown.id, "no-consumer")).task, "unknown");
}

export const explaining: Subject = subject("explain", [
  promise("explaining names what a job waits for", async (context) => {
    const scheduled = context.job({ delay: 5_000 });
    await context.enqueue(scheduled);
    assert.equal((await cause(context, scheduled.id, "not-due")).at, context.now + 5_000);
    const [first, second] = context.jobs(2);
    await context.enqueue(first, second);
    const { ahead } = await cause(context, first.id, "waiting");
    assert.equal((await cause(context, second.id, "waiting")).ahead, ahead + 1);
    await context.runToEnd(first.id);
    await context.runToEnd(second.id);
    await gates(context);
    await runs(context);
    await groups(context);
    await parkedTasks(context);
    const fact = await explain(context, context.id());
    assert.equal(fact.state, "unknown");
    assert.deepEqual(fact.causes, []);
  }),

  promise("explaining gives a reason in every state", async (context) => {
    const [running, resumed, crashing] = [context.job(), context.job({ task: "paused" }), context.job()];
    await context.enqueue(running, crashing);
    const run = await context.claimOne(running.id);
    await crash(context, crashing.id);
    await cause(context, crashing.id, "crashed");
    await context.complete(run);
    assert.deepEqual((await explain(context, running.id)).causes, [
      { code: "final", reason: undefined, cause: undefined },
    ]);
    await context.runToEnd(crashing.id);
    // It ran twice.
    assert.equal((await cause(context, crashing.id, "crashed")).crashes, 1);
    const expiresAt = context.now + 10;
    const expired = context.job({ expiresAt });
    await context.enqueue(expired);
    context.advance(10);
    assert.equal((await cause(context, expired.id, "expired")).at, expiresAt);
    await context.claim();
    assert.equal((await explain(context, expired.id)).state, "expired");
    await cause(context, expired.id, "final");
    await control(context, "paused", "pause");
    await context.enqueue(resumed);
    assert.deepEqual(await context.claim(), []);
    await control(context, "paused", "resume");
    const left = await explain(context, resumed.id);
    assert.ok(left.causes.length > 0, `no reason for a job that is ${left.state} and was resumed`);
  }),

  promise("explaining names the weightiest reason first", async (context) => {
    const codes = async (id: string, tasks?: readonly string[]): Promise<readonly string[]> =>
      (await explain(context, id, tasks)).causes.map(({ code }) => code);
    const holder = context.job({ gates: [LOCK] });
    const [paused, later] = [context.job({ task: "paused" }), context.job({ task: "paused", delay: 5_000 })];
    const [revoked, locked] = [context.job({ task: "revoked" }), context.job({ gates: [LOCK] })];
    await context.enqueue(holder);
    await context.claimOne(holder.id);
    await context.enqueue(paused, later, revoked, locked);
    await control(context, "paused", "pause");
    await control(context, "revoked", "revoke");
    assert.deepEqual(await codes(paused.id), ["paused", "waiting"]);
    assert.deepEqual(await codes(paused.id, ["another"]), ["paused", "no-consumer", "waiting"]);
    assert.deepEqual(await codes(later.id), ["not-due", "paused"]);
    assert.deepEqual(await codes(revoked.id), ["revoked", "waiting"]);
    assert.equal((await codes(locked.id))[0], "locked");
    const crashing = context.job();
    await context.enqueue(crashing);
    await crash(context, crashing.id);
    assert.deepEqual(await codes(crashing.id), ["waiting", "crashed"]);
    await control(context, undefined, "pause");
    assert.deepEqual(await codes(paused.id), ["paused", "paused", "waiting"]);
    assert.equal((await cause(context, crashing.id, "paused")).task, undefined);
  }),
]);

async function control(
  { storage, queue, now }: Context,
  task: string | undefined,
  kind: "pause" | "resume" | "revoke",
): Promise<void> {
  const change = kind === "revoke" ? { kind, once: false, until: undefined } : { kind };
  await storage.control({ queue, task, change, now });
}

/** Its owner claims it and is never heard of again. */
async function crash(context: Context, id: string): Promise<void> {
  const lease = 10;
  await context.claimOne(id, { lease });
  for (let pass = 0; pass < 2; pass += 1) {
    context.advance(lease + 1);
    await context.storage.reap({ queue: context.queue, limit: 10, now: context.now });
  }
  context.advance(lease);
}
