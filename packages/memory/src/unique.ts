/** Unique keys: one job each at a time. */
import { isFinal, type NewUnique } from "@taskq/core/storage";
import { letGo, park, planOpening } from "./gates.js";
import type { Move, QueueState, UniqueKey } from "./queue-state.js";
import type { JobRow } from "./rows.js";

/** The line of those that wait for a key. */
export function uniqueGate(key: string): string {
  return `unique:${key}`;
}

/** Who has the key now. */
export function holderOf(move: Move, key: string): UniqueKey | undefined {
  const entry = move.queue.uniques.get(key);
  if (entry === undefined) return undefined;
  const until = entry.holder.job.unique?.until;
  // One that is final is about to give it back: those in line come first.
  const has = typeof until === "number" ? until > move.now : !isFinal(entry.holder.state);
  if (has) return entry;
  passOn(move, key);
  return holderOf(move, key);
}

/** Takes the key of a job that is about to wait for its turn, or parks it behind the holder; whether it may go on. */
export function takeOrPark(move: Move, row: JobRow): boolean {
  const { unique } = row.job;
  if (unique === undefined || isOver(unique, row, move.now)) return true;
  const entry = holderOf(move, unique.key);
  if (entry?.holder === row) return true;
  if (entry === undefined) {
    take(move, unique.key, row);
    return true;
  }
  park(move, row, uniqueGate(unique.key));
  return false;
}

/** Gives back the key of a job whose handler begins. */
export function freeOnStart(move: Move, row: JobRow): void {
  if (row.job.unique?.until === "started") free(move, row);
}

/** Gives back the key of a job that is final; one until an instant stays taken. */
export function freeOnFinal(move: Move, row: JobRow): void {
  const { unique } = row.job;
  if (unique === undefined) return;
  const entry = move.queue.uniques.get(unique.key);
  if (entry?.replacement === row) entry.replacement = undefined;
  if (typeof unique.until !== "number") free(move, row);
}

/** Gives back the key of a job, if it has it. */
export function free(move: Move, row: JobRow): void {
  const key = row.job.unique?.key;
  if (key !== undefined && move.queue.uniques.get(key)?.holder === row) passOn(move, key);
}

/** A new job takes the key of the one it replaces, so that nobody in line comes between. */
export function take(move: Move, key: string, row: JobRow): void {
  const { queue } = move;
  sweep(queue, row.enqueuedAt);
  queue.uniques.set(key, { holder: row, replacement: undefined });
  const gate = queue.gates.get(uniqueGate(key));
  if (gate !== undefined) planOpening(move, gate);
}

/** The key goes to the first in line that has a use for it, or is free. */
function passOn(move: Move, key: string): void {
  const { queue, now } = move;
  queue.uniques.delete(key);
  const gate = queue.gates.get(uniqueGate(key));
  if (gate === undefined) return;
  for (let next = gate.line.peek(); next?.kind === "job"; next = gate.line.peek()) {
    const { unique } = next.job;
    const takes = unique !== undefined && !isOver(unique, next, now);
    if (takes) take(move, key, next);
    letGo(move, gate, 1);
    if (takes) return;
  }
}

/** Whether the key is of no use to the job any more. */
function isOver(unique: NewUnique, row: JobRow, now: number): boolean {
  if (unique.until === "started") return row.attempt > 0;
  return typeof unique.until === "number" && unique.until <= now;
}

const FEW = 1024;
const sweptSizes = new WeakMap<QueueState, number>();

/** Keys until an instant are not given back by anybody: swept as the keys grow in number. */
function sweep(queue: QueueState, now: number): void {
  if (queue.uniques.size < (sweptSizes.get(queue) ?? FEW)) return;
  for (const [key, { holder }] of queue.uniques) {
    const until = holder.job.unique?.until;
    const passed = typeof until === "number" && until <= now && isFinal(holder.state);
    if (passed && !queue.gates.has(uniqueGate(key))) queue.uniques.delete(key);
  }
  sweptSizes.set(queue, Math.max(FEW, queue.uniques.size * 2));
}
