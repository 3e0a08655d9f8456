/** How many final jobs of one task are kept. Only rows with `CAPPED` are counted here. */
import type { Move } from "./move.js";
import { COMPLETED, isFinalState, metaOf, type MetaKeep, type Row } from "./row.js";

/** Whether jobs that are kept so are counted. */
export function isCapped(keep: MetaKeep | undefined): boolean {
  return keep?.completedMax !== undefined || keep?.failedMax !== undefined;
}

/** A final row, as far as it is counted. */
export type CappedRow = Pick<Row, "key" | "task" | "state" | "ended" | "meta">;

/** Counts a row that has become final. */
export function countCapped(move: Move, row: CappedRow): void {
  const { key, task, state, ended } = row;
  const keep = metaOf(row).keep;
  const max = state === COMPLETED ? keep?.completedMax : keep?.failedMax;
  if (max === undefined) return;
  const other = otherOf(state);
  move
    .sql("INSERT OR IGNORE INTO {capped} (queue, task, other, ended, key) VALUES (?, ?, ?, ?, ?)")
    .run(move.queue.id, task, other, ended ?? move.now, key);
  move
    .sql(
      "INSERT INTO {caps} (queue, task, other, count, max) VALUES (?, ?, ?, 1, ?) " +
        "ON CONFLICT (queue, task, other) DO UPDATE SET count = count + 1, max = excluded.max",
    )
    .run(move.queue.id, task, other, max);
  move.hasCapped = true;
}

/** Counts a row no more that is removed, or final no more. */
export function uncountCapped(move: Move, { key, task, state, ended }: CappedRow): void {
  if (!isFinalState(state) || ended === null) return;
  const other = otherOf(state);
  const { changes } = move
    .sql("DELETE FROM {capped} WHERE queue = ? AND task = ? AND other = ? AND ended = ? AND key = ?")
    .run(move.queue.id, task, other, ended, key);
  if (changes === 0) return;
  move
    .sql("UPDATE {caps} SET count = count - 1 WHERE queue = ? AND task = ? AND other = ?")
    .run(move.queue.id, task, other);
}

function otherOf(state: number): 0 | 1 {
  return state === COMPLETED ? 0 : 1;
}
