import { randomUUID } from "node:crypto";
import { movedError as refusalOf, type QueuePhase, type TaskqError } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { DriverStatement } from "./driver.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";

/** Phases as the rows have them. */
export const OPEN = 0;
export const LEAVING = 1;
export const LEFT = 2;
export const ARRIVING = 3;
/** Leaving, and nothing runs or changes any more. */
export const STILL = 4;

const PHASES: readonly QueuePhase[] = ["open", "leaving", "left", "arriving", "leaving"];

export function isPhase(phase: unknown): boolean {
  return typeof phase === "number" && PHASES[phase] !== undefined;
}

export function phaseName(phase: number): QueuePhase {
  return PHASES[phase] ?? "open";
}

/** @param but why it is refused, if not for the phase alone */
export function movedError(queue: string, phase: number, but?: string): TaskqError {
  return refusalOf(queue, phaseName(phase), but);
}

/** Where a queue stands in a move. Source and target side are apart: a queue may come back to where it was. */
export interface MovingRow {
  readonly phase: number;
  readonly epoch: number;
  /** Names the last leaving. */
  readonly departure: string | null;
  readonly destination: string | null;
  /** The leaving of the source from which it is filled, or was. */
  readonly origin: string | null;
  readonly arrival: string | null;
  readonly cursor: string | null;
  /** The last row put together; `done` after all of them. */
  readonly sealed: string | null;
}

export function movingRow(connection: Connection, queue: OpenQueue): MovingRow {
  return connection
    .sql(
      "SELECT phase, epoch, departure, destination, origin, arrival, cursor, sealed FROM {queues} " +
        "LEFT JOIN {moves} ON queue = id WHERE id = ?",
    )
    .get(queue.id) as MovingRow;
}

type Columns = Partial<Omit<MovingRow, "phase" | "epoch">>;

/** Changes some columns of the row, which is made if it is not there. */
export function writeMoving(move: Move, columns: Columns): void {
  move.sql("INSERT OR IGNORE INTO {moves} (queue) VALUES (?)").run(move.queue.id);
  for (const [name, value] of Object.entries(columns)) {
    move.sql(`UPDATE {moves} SET ${name} = ? WHERE queue = ?`).run(value, move.queue.id);
  }
}

export function writePhase(move: Move, phase: number): void {
  move.sql("UPDATE {queues} SET phase = ? WHERE id = ?").run(phase, move.queue.id);
  move.changeSeldom();
  move.scope.hintsOf(move.queue).control = true;
  if (phase === OPEN) move.becameReady();
}

export function newName(): string {
  return randomUUID();
}

/** Whoever reads, in a transaction or not. */
interface Asking {
  readonly queue: OpenQueue;
  raw(text: string): DriverStatement;
}

export function phaseOf(asking: Asking): number {
  return (asking.raw("SELECT phase FROM {queues} WHERE id = ?").get(asking.queue.id) as [number])[0];
}

/** Whether a queue takes nothing, not even from what runs. */
export function isStill(asking: Asking): boolean {
  return phaseOf(asking) > LEAVING;
}

/** Refuses what a queue does only as long as something may run. @throws `TASKQ_MOVED` */
export function refuseStill(move: Move): void {
  if (move.scope.hasAdmitted(move.queue)) return;
  const phase = phaseOf(move);
  if (phase > LEAVING) throw movedError(move.queue.name, phase);
}
