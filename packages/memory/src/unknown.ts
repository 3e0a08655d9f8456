/** How long jobs may wait whose tasks nobody knows. */
import { CONSEQUENCES_PER_STEP } from "@taskq/core/storage";
import { endIfExpired, finishUnasked } from "./finish.js";
import type { Gate } from "./gate.js";
import { isUnknown, planOpening } from "./gates.js";
import type { Move } from "./queue-state.js";
import type { JobRow } from "./rows.js";

/** A line is looked at no more often than so many times in the time that its jobs may wait. */
const LOOKS = 64;

/** Ends jobs that have waited too long for somebody who knows their task: a bounded number, the rest with the next step. */
export function endUnknown(move: Move, lines: readonly Gate[], knows: ReadonlySet<string>): void {
  let left = CONSEQUENCES_PER_STEP;
  for (const gate of lines) {
    if (move.queue.paused || knows.has(gate.name.slice("task:".length))) beginAnew(move, gate);
    else left -= endLine(move, gate, left);
    planOpening(move, gate);
  }
}

/** From now on the jobs in all lines of unknown tasks may wait as long as the queue says. */
export function beginLinesAnew(move: Move): void {
  for (const gate of move.queue.taskLines) {
    if (!isUnknown(gate)) continue;
    beginAnew(move, gate);
    planOpening(move, gate);
  }
}

function beginAnew({ queue, now }: Move, gate: Gate): void {
  gate.endsAt = now + queue.unknownAfter;
}

function endLine(move: Move, gate: Gate, limit: number): number {
  const { now, queue } = move;
  const wait = queue.unknownAfter;
  const waiting = gate.line.items.filter((row) => row.kind === "job");
  const over = waiting.filter(({ due }) => due <= now - wait);
  for (const row of over.slice(0, limit)) endRow(move, row);
  if (over.length > limit) return limit;
  const first = waiting.reduce((due, row) => (row.due > now - wait ? Math.min(due, row.due) : due), Infinity);
  gate.endsAt = Math.max(first + wait, now + Math.ceil(wait / LOOKS));
  return over.length;
}

function endRow(move: Move, row: JobRow): void {
  if (!endIfExpired(move, row)) finishUnasked(move, row, "quarantined", "unknown-task");
}
