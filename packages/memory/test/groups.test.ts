import { expect, test } from "vitest";
import { alone, behind, COMPLETED, FAILED, group, OpenedQueue } from "./opened-queue.ts";

test("the error handler of a member that failed runs, and that of a member given up does not", async () => {
  const queue = await OpenedQueue.open();
  const [failing, other] = [queue.job(), queue.job()];
  const [handler, spare] = [queue.job(), queue.job()];
  const jobs = [failing, other, behind(handler, failing.id, "failed"), behind(spare, other.id, "failed")];
  const flow = group(queue, jobs, [failing.id, other.id]);
  await queue.enqueue(flow);
  await queue.run(failing.id, FAILED);
  expect(await queue.states(flow.end, other.id, handler.id, spare.id)).toEqual([
    "failed",
    "skipped",
    "ready",
    "skipped",
  ]);
  const record = await queue.record(other.id);
  expect([record.reason, record.cause]).toEqual(["group failed", failing.id]);
  const [alert] = await queue.claim(handler.id);
  expect(alert?.sources).toMatchObject([{ kind: "job", id: failing.id, bytes: new Uint8Array([9]) }]);
});

test("a job that also leads elsewhere outlives its failed group", async () => {
  const queue = await OpenedQueue.open();
  const [failing, shared, stage, elsewhere] = [queue.job(), queue.job(), queue.job(), queue.job()];
  const jobs = [failing, shared, behind(stage, shared.id), behind(elsewhere, shared.id)];
  await queue.enqueue(group(queue, jobs, [failing.id, stage.id]));
  await queue.run(failing.id, FAILED);
  expect(await queue.states(shared.id, stage.id, elsewhere.id)).toEqual(["ready", "skipped", "blocked"]);
  await queue.run(shared.id);
  expect(await queue.states(elsewhere.id)).toEqual(["ready"]);
});

test("a job of another flow, which a failed group follows, goes on", async () => {
  const queue = await OpenedQueue.open();
  const [before, member, other] = [queue.job(), queue.job(), queue.job()];
  await queue.enqueue(alone(before));
  await queue.enqueue(group(queue, [behind(member, before.id), other], [member.id, other.id]));
  await queue.run(other.id, FAILED);
  expect(await queue.states(before.id, member.id)).toEqual(["ready", "skipped"]);
});

test("groups within a failed group are given up whole", async () => {
  const queue = await OpenedQueue.open();
  const [failing, inner, deep] = [queue.job(), queue.job(), queue.job()];
  const [innerJoin, outerJoin] = [queue.id(), queue.id()];
  await queue.enqueue({
    end: outerJoin,
    jobs: [failing, inner, behind(deep, inner.id)],
    joins: [
      { id: outerJoin, mode: "all", members: [failing.id, innerJoin] },
      { id: innerJoin, mode: "settled", members: [deep.id] },
    ],
  });
  await queue.run(failing.id, FAILED);
  expect(await queue.states(outerJoin, innerJoin, inner.id, deep.id)).toEqual([
    "failed",
    "skipped",
    "skipped",
    "skipped",
  ]);
});

test("a member that waits for its retry is given up with its group, and one that runs when it is given back", async () => {
  const queue = await OpenedQueue.open();
  const [failing, retrying, running] = [queue.job(), queue.job(), queue.job()];
  const next = behind(queue.job(), running.id);
  const ids = [failing.id, retrying.id, next.id];
  const flow = group(queue, [failing, retrying, running, next], ids);
  await queue.enqueue(flow);
  const later = { kind: "retry", error: undefined, due: queue.now + 50, counts: true } as const;
  await queue.run(retrying.id, later);
  const [run] = await queue.claim(running.id);
  await queue.run(failing.id, FAILED);
  expect(await queue.states(retrying.id, running.id, next.id)).toEqual(["skipped", "active", "skipped"]);
  expect((await queue.settle(run!, later)).settled).toEqual(["applied"]);
  const record = await queue.record(running.id);
  expect([record.state, record.reason, record.cause]).toEqual(["skipped", "group failed", failing.id]);
  expect(record.detail?.attempts).toHaveLength(1);
  await queue.amend(failing.id, { kind: "retry" });
  expect(await queue.states(flow.end, retrying.id, running.id, next.id)).toEqual([
    "blocked",
    "scheduled",
    "scheduled",
    "blocked",
  ]);
});

test("a member of a failed group that is given back by a reap is given up, unless it leads elsewhere", async () => {
  const queue = await OpenedQueue.open();
  const [failing, dying, shared] = [queue.job(), queue.job(), queue.job()];
  const flow = group(queue, [failing, dying, shared], [failing.id, dying.id, shared.id]);
  await queue.enqueue(flow, alone(behind(queue.job(), shared.id)));
  await queue.claim(dying.id, shared.id);
  await queue.run(failing.id, FAILED);
  queue.now += 30_001;
  await queue.storage.reap({ queue: "main", limit: 10, now: queue.now });
  queue.now += 15_000;
  const { reaped, effects } = await queue.storage.reap({ queue: "main", limit: 10, now: queue.now });
  expect(reaped.map(({ id, state }) => [id, state])).toEqual([
    [dying.id, "skipped"],
    [shared.id, "ready"],
  ]);
  expect(effects).toMatchObject([{ id: dying.id, kind: "skipped", cause: failing.id }]);
  const record = await queue.record(dying.id);
  expect([record.state, record.reason, record.crashes]).toEqual(["skipped", "group failed", 1]);
});

test("what an active member of a failed group adds is given up at once", async () => {
  const queue = await OpenedQueue.open();
  const [failing, running] = [queue.job(), queue.job()];
  await queue.enqueue(group(queue, [failing, running], [failing.id, running.id]));
  const [run] = await queue.claim(running.id);
  await queue.run(failing.id, FAILED);
  const added = queue.job();
  expect((await queue.settle(run!, COMPLETED, [alone(added)])).settled).toEqual(["applied"]);
  expect(await queue.states(running.id, added.id)).toEqual(["completed", "skipped"]);
});

test("a member that adds a flow counts when that is final, and fails with it", async () => {
  const queue = await OpenedQueue.open();
  const [member, added] = [queue.job(), queue.job()];
  const flow = group(queue, [member], [member.id]);
  const follower = behind(queue.job(), flow.end, "settled");
  await queue.enqueue(flow, alone(follower));
  const [run] = await queue.claim(member.id);
  await queue.settle(run!, COMPLETED, [alone(added)]);
  expect(await queue.states(flow.end, member.id)).toEqual(["blocked", "completed"]);
  await queue.run(added.id, FAILED);
  expect(await queue.states(flow.end, follower.id)).toEqual(["failed", "ready"]);
  const [claimed] = await queue.claim(follower.id);
  expect(claimed?.sources).toMatchObject([{ cause: added.id, members: [{ id: added.id, state: "failed" }] }]);
});

test("a job that a claim passed over is not handed out once its group has failed in the same claim", async () => {
  const queue = await OpenedQueue.open();
  const once = queue.job({ delivery: "at-most-once", priority: 2 });
  const expiring = queue.job({ expiresAt: queue.now });
  const flow = group(queue, [once, expiring], [once.id, expiring.id]);
  await queue.enqueue(flow);
  const ahead = { begin: 0, ahead: 5, lease: 30_000 };
  expect((await queue.step({ claim: ahead })).claimed).toEqual([]);
  expect(await queue.states(flow.end, once.id, expiring.id)).toEqual(["skipped", "skipped", "expired"]);
  const fresh = queue.job();
  await queue.enqueue(alone(fresh));
  const { claimed, more } = await queue.step({ claim: { ...ahead, begin: 5 } });
  expect([claimed.map(({ id }) => id), more]).toEqual([[fresh.id], false]);
});

test("members of a group within a group are purged once the outer one is final", async () => {
  const retention = { completed: { for: 5_000, max: 100 }, failed: { for: 5_000, max: 100 } };
  const queue = await OpenedQueue.open(retention);
  const [member, last] = [queue.job({ keep: { completed: 10, failed: 10 } }), queue.job()];
  const [inner, outer] = [queue.id(), queue.id()];
  const joins = [
    { id: inner, mode: "all" as const, members: [member.id] },
    { id: outer, mode: "all" as const, members: [inner, last.id] },
  ];
  await queue.enqueue({ end: outer, jobs: [member, last], joins });
  await queue.run(member.id);
  queue.now += 1_000;
  await queue.storage.purge({ queue: "main", limit: 100, now: queue.now });
  expect(await queue.states(member.id, inner, outer)).toEqual(["completed", "completed", "blocked"]);
  await queue.run(last.id);
  queue.now += 10_000;
  await queue.storage.purge({ queue: "main", limit: 100, now: queue.now });
  expect(await queue.states(member.id, inner, outer, last.id)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("a retry by hand does not bring back a follower that was purged", async () => {
  const queue = await OpenedQueue.open();
  const [failing, follower] = [queue.job(), queue.job({ keep: { completed: 0, failed: 0 } })];
  await queue.enqueue({ end: follower.id, jobs: [failing, behind(follower, failing.id)], joins: [] });
  await queue.run(failing.id, FAILED);
  expect(await queue.states(failing.id, follower.id)).toEqual(["failed", undefined]);
  await queue.amend(failing.id, { kind: "retry" });
  await queue.run(failing.id);
  expect(await queue.states(failing.id, follower.id)).toEqual(["completed", undefined]);
  expect((await queue.storage.counts({ queue: "main" }))["*"]).toMatchObject({ completed: 1, ready: 0 });
});

test("jobs of one flow wait for a unique key in turn and do not replace each other", async () => {
  const queue = await OpenedQueue.open();
  const unique = { key: "report", until: "final", onConflict: "replace" } as const;
  const holder = queue.job({ unique });
  await queue.enqueue(alone(holder));
  const [run] = await queue.claim(holder.id);
  const members = [queue.job({ unique }), queue.job({ unique }), queue.job()];
  const ids = members.map(({ id }) => id);
  await queue.enqueue(group(queue, members, ids));
  expect(await queue.states(...ids)).toEqual(["parked", "parked", "ready"]);
  await queue.settle(run!, COMPLETED);
  expect(await queue.states(...ids)).toEqual(["ready", "parked", "ready"]);
  await queue.run(ids[0]!);
  expect(await queue.states(...ids)).toEqual(["completed", "ready", "ready"]);
});

// Looking at each of them with each end would take far longer than a test may.
test("a group of 20,000 members that all add a job ends", async () => {
  const queue = await OpenedQueue.open();
  const members = Array.from({ length: 20_000 }, () => queue.job());
  const ids = members.map(({ id }) => id);
  const flow = group(queue, members, ids);
  await queue.enqueue(flow);
  const runs = await queue.claim(...ids);
  const added: string[] = [];
  for (const run of runs) {
    const job = queue.job();
    added.push(job.id);
    await queue.settle(run, COMPLETED, [alone(job)]);
  }
  expect(await queue.states(flow.end)).toEqual(["blocked"]);
  for (const run of await queue.claim(...added)) await queue.settle(run, COMPLETED);
  expect(await queue.states(flow.end)).toEqual(["completed"]);
});
