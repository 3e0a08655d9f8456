import type { Move } from "./move.js";
import { BLOCKED, gateLabel, PARKED, READY, SCHEDULED, type Row } from "./row.js";

/** When a claimed row was due: not later than now, though the clock may have been set back since its claim. */
export function dueBefore({ now }: Move, { due }: Row): number {
  return Math.min(due, now);
}

/** Ready or scheduled, by its due. */
export function enterLine(move: Move, row: Row): void {
  if (row.due > move.now) schedule(move, row, row.due);
  else makeReady(move, row, row.due);
}

export function makeReady(move: Move, row: Row, due: number): void {
  row.state = READY;
  row.due = due;
  row.later = null;
  row.gate = null;
  move.sql("UPDATE {jobs} SET state = 0, due = ?, later = NULL, gate = NULL WHERE key = ?").run(due, row.key);
  move.becameReady();
}

function schedule(move: Move, row: Row, due: number): void {
  row.state = SCHEDULED;
  row.due = due;
  row.later = due;
  row.gate = null;
  move
    .sql("UPDATE {jobs} SET state = 1, due = ?, later = ?, gate = NULL WHERE key = ?")
    .run(due, due, row.key);
  move.becameReady();
}

/** Puts a row out of the way of claims, under a gate. */
export function park(move: Move, row: Row, gate: string): void {
  row.state = PARKED;
  row.gate = gate;
  row.later = null;
  move
    .sql("UPDATE {jobs} SET state = 3, gate = ?, due = ?, later = NULL WHERE key = ?")
    .run(gate, row.due, row.key);
  move.effect(row, "parked", { gate: gateLabel(gate) });
}

/** Puts a row back behind its edges. */
export function block(move: Move, row: Row): void {
  row.state = BLOCKED;
  row.gate = "";
  row.later = null;
  move
    .sql(
      "UPDATE {jobs} SET state = 2, gate = '', later = NULL, ended = NULL, reason = NULL, cause = NULL WHERE key = ?",
    )
    .run(row.key);
}
