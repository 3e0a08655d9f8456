import assert from "node:assert/strict";
import type { ReapAnswer, StorageContract } from "@taskq/core/storage";
import { LEASE, type Context } from "../context.js";

/** One pass over the leases. */
export function reap(context: Context, storage: StorageContract = context.storage): Promise<ReapAnswer> {
  return storage.reap({ queue: context.queue, limit: 100, now: context.now });
}

/** Lets every lease run out, marks the runs suspect and takes them. */
export async function loseLease(context: Context): Promise<ReapAnswer> {
  context.advance(LEASE + 1);
  const first = await reap(context);
  assert.deepEqual(first.reaped, [], "taken without being suspect first");
  context.advance(LEASE / 2);
  return reap(context);
}

/** Begins the job, loses its lease, and waits until it may run again. */
export async function crash(context: Context, id: string): Promise<ReapAnswer> {
  await context.claimOne(id);
  const answer = await loseLease(context);
  assert.deepEqual(
    answer.reaped.map((run) => run.id),
    [id],
  );
  context.advance(LEASE * (await context.jobRecord(id)).crashes);
  return answer;
}
