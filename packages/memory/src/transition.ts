/** The smallest moves: a job's state, its place among the waiting, and what is told of it. */
import type { JobEffect, StoredState } from "@taskq/core/storage";
import type { Move } from "./queue-state.js";
import type { JobRow } from "./rows.js";

/** Changes the state of a job and the counts with it. */
export function setState({ queue }: Move, row: JobRow, state: StoredState): void {
  queue.counts.move(row.job.task, row.state, state);
  row.state = state;
}

/** Puts a job that is in no place among the scheduled or the ready ones, by its due. */
export function enterLine(move: Move, row: JobRow): void {
  if (row.due <= move.now) {
    makeReady(move, row);
    return;
  }
  setState(move, row, "scheduled");
  move.queue.scheduled.push(row);
  move.queue.hints.ready();
}

/** Puts a job that is in no place among the ready ones. */
export function makeReady(move: Move, row: JobRow): void {
  setState(move, row, "ready");
  move.queue.ready.push(row);
  move.queue.hints.ready();
}

/** Notes what a move did to a job that it was not asked about. */
export function report(
  move: Move,
  row: JobRow,
  kind: JobEffect["kind"],
  about: { readonly reason?: string; readonly cause?: string; readonly gate?: string } = {},
): void {
  move.effects.push({
    id: row.id,
    task: row.job.task,
    kind,
    reason: about.reason,
    cause: about.cause,
    gate: about.gate,
    attempt: row.attempt,
  });
}
