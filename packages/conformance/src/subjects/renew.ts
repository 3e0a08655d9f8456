import assert from "node:assert/strict";
import type { RenewAnswer, RunReference } from "@taskq/core/storage";
import { LEASE, OWNER, type Context } from "../context.js";
import { promise, subject, type Subject } from "../promise.js";
import { loseLease, reap } from "./leases.js";

function renew(
  context: Context,
  runs: readonly RunReference[],
  owner: string = OWNER,
  lease: number = LEASE,
): Promise<RenewAnswer> {
  const { storage, queue, now } = context;
  return storage.renew({
    queue,
    owner,
    lease,
    runs: runs.map(({ id, fence }) => ({ id, fence })),
    now,
  });
}

function named(runs: readonly RunReference[]): string[] {
  return runs.map(({ id, fence }) => `${id} ${fence}`).toSorted();
}

export const renewing: Subject = subject("renew", [
  promise("a renewed lease does not run out", async (context) => {
    const [kept, left] = context.jobs(2);
    await context.enqueue(kept, left);
    const run = await context.claimOne(kept.id);
    await context.claimOne(left.id);
    context.advance(LEASE - 1);
    const answer = await renew(context, [run]);
    assert.equal(answer.leaseUntil, context.now + LEASE);
    assert.deepEqual(answer.lost, []);
    context.advance(2);
    assert.deepEqual((await reap(context)).reaped, [], "taken without being suspect first");
    context.advance(LEASE / 2);
    const { reaped } = await reap(context);
    assert.deepEqual(
      reaped.map(({ id }) => id),
      [left.id],
    );
    assert.equal(await context.complete(run), "applied");

    // It may be longer than that of the claim.
    const longer = context.job();
    await context.enqueue(longer);
    const long = await context.claimOne(longer.id);
    assert.equal((await renew(context, [long], OWNER, LEASE * 4)).leaseUntil, context.now + LEASE * 4);
    for (let lease = 0; lease < 3; lease += 1) {
      context.advance(LEASE);
      assert.deepEqual((await reap(context)).reaped, []);
    }
    assert.equal(await context.complete(long), "applied");

    // Of those that were claimed together, each has a lease of its own.
    const together = context.jobs(3);
    await context.enqueue(...together);
    const runs = await context.claim({ n: 3, ids: together.map(({ id }) => id) });
    context.advance(LEASE - 1);
    assert.deepEqual((await renew(context, [runs[1]!])).lost, []);
    context.advance(2);
    await reap(context);
    context.advance(LEASE / 2);
    assert.deepEqual(named((await reap(context)).reaped), named([runs[0]!, runs[2]!]));
    assert.equal(await context.complete(runs[1]!), "applied");
  }),

  promise("renewing answers the runs that were lost", async (context) => {
    const [kept, taken, ended, others] = context.jobs(4);
    await context.enqueue(kept, taken, ended, others);
    const lost = await context.claimOne(taken.id);
    await loseLease(context);
    context.advance(LEASE);
    const again = await context.claimOne(taken.id, { owner: "owner-2" });
    const run = await context.claimOne(kept.id);
    const settled = await context.claimOne(ended.id);
    await context.complete(settled);
    const foreign = await context.claimOne(others.id, { owner: "owner-2" });
    const unknown = { id: context.id(), fence: run.fence };
    const answer = await renew(context, [run, lost, settled, foreign, unknown]);
    assert.deepEqual(named(answer.lost), named([lost, settled, foreign, unknown]));
    const other = await renew(context, [again, foreign], "owner-2");
    assert.deepEqual(other.lost, []);
  }),

  promise("renewing answers the runs that were revoked", async (context) => {
    const [revoked, other] = context.jobs(2);
    await context.enqueue(revoked, other);
    const runs = [await context.claimOne(revoked.id), await context.claimOne(other.id)];
    assert.deepEqual((await renew(context, runs)).revoked, []);
    await context.storage.amend({
      queue: context.queue,
      ids: [revoked.id],
      change: { kind: "revoke", scope: "flow" },
      now: context.now,
    });
    const answer = await renew(context, runs);
    assert.deepEqual(named(answer.revoked), named([runs[0]!]));
    assert.deepEqual(answer.lost, []);
    assert.deepEqual((await renew(context, [], "owner-2")).revoked, []);
    // Another process has revoked it.
    const second = await context.second();
    const change = { kind: "revoke", scope: "flow" } as const;
    await second.amend({ queue: context.queue, ids: [other.id], change, now: context.now });
    assert.deepEqual(named((await renew(context, runs)).revoked), named(runs));
  }),

  promise("renewing clears a suspicion", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const run = await context.claimOne(job.id);
    context.advance(LEASE + 1);
    await reap(context);
    assert.deepEqual((await renew(context, [run])).lost, []);
    context.advance(LEASE / 2 + 1);
    assert.deepEqual((await reap(context)).reaped, []);
    context.advance(LEASE / 2);
    assert.deepEqual((await reap(context)).reaped, [], "the old suspicion stood");
    context.advance(LEASE / 2);
    assert.equal((await reap(context)).reaped.length, 1);
  }),
]);
