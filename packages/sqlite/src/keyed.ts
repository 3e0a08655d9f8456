/** A run that is given back with the keys it is to wait by. */
import type { SettledOutcome } from "@taskq/core/storage";
import { inRow, replaceBody } from "./bodies.js";
import { leaveRun } from "./final.js";
import { metaFor } from "./insert-rows.js";
import { dueBefore, enterLine } from "./line.js";
import type { Move } from "./move.js";
import { ACTIVE, APART, GATED, metaOf, READY, UNBEGUN, UNIQUE, VERDICT, type Row } from "./row.js";
import { skipIfDead } from "./skip-dead.js";
import { letUniqueGo, takeOrPark } from "./unique.js";

/** Ends the run, puts its keys in place of those it had, and lets it wait by them. */
export function giveBackKeyed(
  move: Move,
  row: Row,
  { body, gates, unique }: Extract<SettledOutcome, { kind: "keyed" }>,
  startedAt: number | null,
): void {
  const { gates: _gates, unique: before, verdict: _verdict, ...rest } = metaOf(row);
  leaveRun(move, row, ACTIVE);
  if (before !== undefined) letKeyGo(move, row, before.key);
  const keys = metaFor({ gates, unique, after: undefined, keep: undefined });
  const meta = { ...rest, ...keys };
  row.meta = Object.keys(meta).length === 0 ? null : JSON.stringify(meta);
  const stored = inRow(body);
  replaceBody(move, row.key, body);
  row.flags = (row.flags & ~(UNBEGUN | VERDICT | GATED | UNIQUE | APART)) | stored.flag;
  if (keys.gates !== undefined) row.flags |= GATED;
  if (keys.unique !== undefined) row.flags |= UNIQUE;
  row.state = READY;
  row.due = dueBefore(move, row);
  move
    .sql(
      "UPDATE {jobs} SET state = 0, due = ?, body = ?, meta = ?, flags = ?, attempt = ?, settled = fence, " +
        "started = coalesce(?, started) WHERE key = ?",
    )
    .run(row.due, stored.body, row.meta, row.flags, row.attempt, startedAt, row.key);
  if (skipIfDead(move, row)) return;
  if ((row.flags & UNIQUE) === 0 || takeOrPark(move, row)) enterLine(move, row);
}

/** Whatever the key was taken until: the job has nothing to do with it any more. */
function letKeyGo(move: Move, row: Row, key: string): void {
  const { changes } = move
    .sql("DELETE FROM {uniques} WHERE queue = ? AND name = ? AND holder = ?")
    .run(move.queue.id, key, row.key);
  // Before the job takes another, which may be the same.
  if (changes > 0) letUniqueGo(move, key);
}
