import { CONSEQUENCES_PER_STEP } from "@taskq/core/storage";
import type { Move } from "./move.js";
import type { SeldomState } from "./open-queue.js";
import { makeReady } from "./line.js";
import { ROW_COLUMNS, type Row } from "./row.js";
import { beginLineAnew } from "./unknown.js";

/** Lets jobs go that are parked under tasks that are known, or paused no more; a bounded number. */
export function letStandingGo(move: Move, tasks: readonly string[], seldom: SeldomState): void {
  let left = CONSEQUENCES_PER_STEP;
  for (const gate of seldom.parking) {
    if (left <= 0) return;
    if (mayGo(move, gate, tasks, seldom)) left -= letGateGo(move, gate, left);
  }
}

function mayGo(move: Move, gate: string, tasks: readonly string[], seldom: SeldomState): boolean {
  if (gate.startsWith("task:")) return move.queue.knownTasks(tasks).has(gate.slice(5));
  return seldom.controls.get(gate.slice(6))?.paused !== true;
}

/** Lets the first jobs under a gate go; answers how many. */
function letGateGo(move: Move, gate: string, limit: number): number {
  const rows = move
    .sql(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE queue = ? AND gate = ? AND state = 3 ` +
        "ORDER BY priority DESC, due, {jobs}.key LIMIT ? + 0",
    )
    .all(move.queue.id, gate, limit) as Row[];
  for (const row of rows) {
    // It was due when it was parked, though the clock may have been set back.
    makeReady(move, row, row.due);
    move.effect(row, "readied", { gate });
  }
  if (rows.length < limit) {
    move.sql("DELETE FROM {parking} WHERE queue = ? AND gate = ?").run(move.queue.id, gate);
    move.changeSeldom();
  } else beginLineAnew(move, gate);
  return rows.length;
}
