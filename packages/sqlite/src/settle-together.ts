/** Completed runs of one claim, settled many at a time: calling a statement costs more than most of its rows. */
import { splitId, type IdParts, type Settlement } from "@taskq/core/storage";
import type { Move } from "./move.js";
import { COMPLETED } from "./row.js";

/** Runs that one statement settles. Measured: 16 cost a tenth more, 50 as much. */
export const TOGETHER = 25;

/** As one by one: rows that nothing hangs on, neither edges nor gates, keys or a revocation. */
const SETTLE_TOGETHER =
  "UPDATE {jobs} SET state = 5, settled = NULL, ended = ?, flags = {jobs}.flags & -1025, " +
  "started = run.column3, result = run.column4 FROM (VALUES " +
  Array<string>(TOGETHER).fill("((? << 21) | ?, ?, ?, ?)").join(", ") +
  ") AS run WHERE key = run.column1 AND random = run.column2 AND state = 4 AND fence = ? AND {jobs}.flags & 511 = 0";

/**
 * How many of the settlements, from one on, are completed runs of one claim whose rows were bare when they were claimed,
 * up to `TOGETHER`.
 */
export function likeEnds(move: Move, settlements: readonly Settlement[], from: number): number {
  const first = settlements[from];
  if (first === undefined || move.queue.leases.get(first.fence)?.isBare !== true) return 0;
  const until = Math.min(settlements.length, from + TOGETHER);
  let index = from;
  while (index < until && isLike(settlements[index] as Settlement, first.fence)) index += 1;
  return index - from;
}

function isLike({ fence, outcome, add }: Settlement, wanted: number): boolean {
  return fence === wanted && outcome.kind === "completed" && add === undefined;
}

/** Settles so many by one statement: all of them, or none, and answers which. */
export function settleTogether(move: Move, settlements: readonly Settlement[], from: number): boolean {
  const ended: IdParts[] = [];
  const values: unknown[] = [move.now];
  for (let index = from; index < from + TOGETHER; index += 1) {
    const { id, startedAt, outcome } = settlements[index] as Settlement;
    const parts = splitId(id);
    if (parts === undefined || outcome.kind !== "completed") return false;
    ended.push(parts);
    values.push(parts.time, parts.low, parts.random, startedAt, outcome.result ?? null);
  }
  const { fence } = settlements[from] as Settlement;
  values.push(fence);
  // Which ones were settled could not be told if some were not.
  move.sql("SAVEPOINT together").run();
  const { changes } = move.sql(SETTLE_TOGETHER).run(...values);
  if (changes !== TOGETHER) move.sql("ROLLBACK TO together").run();
  move.sql("RELEASE together").run();
  if (changes !== TOGETHER) return false;
  move.count(COMPLETED, TOGETHER);
  move.runEnded(fence, TOGETHER);
  for (const parts of ended) move.ended.push(parts);
  if (move.queue.watchers.size === 0) return true;
  for (let index = from; index < from + TOGETHER; index += 1) {
    move.becameFinal((settlements[index] as Settlement).id);
  }
  return true;
}
