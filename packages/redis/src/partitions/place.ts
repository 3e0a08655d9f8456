/** Which jobs are spread, and where: told by their ids alone. */
import { splitId, type NewFlow } from "@taskq/core/storage";

/** What is not spread lies here: flows, gates, unique keys, given ids, values, schedules, and the feed. */
export const HOME = 0;
/** Bits of an id that count within its millisecond; those above are its maker's. */
const COUNT_BITS = 9;

/**
 * The partition of a plain job with this id. Ids that core made in one millisecond go round; each maker and each
 * millisecond begins at another one. Only what keys of rows are made of is looked at: ids that would collide lie together.
 */
export function partitionOf(id: string, partitions: number): number {
  const parts = splitId(id);
  if (parts === undefined) return HOME;
  const { time, low } = parts;
  const count = low % 2 ** COUNT_BITS;
  return ((mixed(time, low >>> COUNT_BITS) % partitions) + count) % partitions;
}

/** Whether core may have made it. */
export function isMade(id: string): boolean {
  return splitId(id) !== undefined;
}

/** Whether it is one job that nothing else has to know of when it is stored, claimed or settled. */
export function isPlain({ jobs, joins }: NewFlow): boolean {
  const [job] = jobs;
  if (job === undefined || jobs.length > 1 || joins.length > 0 || job.named) return false;
  const { after, gates, unique, keep } = job;
  // How many are kept of a task is counted in one place.
  const isCounted = keep?.completedMax !== undefined || keep?.failedMax !== undefined;
  return after === undefined && (gates ?? []).length === 0 && unique === undefined && !isCounted;
}

/** 32 bits, each of which hangs on all that is given: the end of MurmurHash3 (Austin Appleby, public domain). */
function mixed(time: number, maker: number): number {
  let hash = (time % 2 ** 32) ^ Math.floor(time / 2 ** 32) ^ Math.imul(maker + 1, 0x9e_37_79_b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
