import type { Connection } from "./connection.js";
import type { DriverStatement } from "./driver.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import type { MetaGate } from "./row.js";
import { BUSY_LIMIT } from "./writer.js";

/** What the gates of limits begin with. */
export const LIMIT = "limit:";

/** Old starts of a gate that a new one removes with it: more than one, so that a log grows no longer than it has to. */
const FORGOTTEN_PER_START = 8;
/** Starts of whatever gates that a purge removes. */
const FORGOTTEN_AT_ONCE = 500;

/**
 * How long a start is kept beyond its window, in milliseconds. A call reads the clock, and then may wait for the file for
 * so long: it counts as of a moment that others have left behind.
 */
const KEPT_BEYOND = BUSY_LIMIT;

/** So many starts in any window of so many milliseconds. */
export interface Limit {
  /** `limit:` and the key. */
  readonly gate: string;
  readonly max: number;
  readonly per: number;
}

/** Where and when starts are looked at. */
export interface Looking {
  readonly queue: OpenQueue;
  readonly now: number;
  raw(text: string): DriverStatement;
}

export function limitOf({ key, max, per }: Pick<MetaGate, "key" | "max" | "per">): Limit {
  return { gate: LIMIT + key, max, per: per ?? 0 };
}

const COUNT = "SELECT count(*) FROM {starts} WHERE queue = ? AND gate = ? AND time > ? AND time < ?";

/** What a move has counted, by gate and by the length of the window: a step that claims fifty counts once. */
const counted = new WeakMap<Looking, Map<string, Map<number, number>>>();

/**
 * Starts with which one of now shares a window. Those of another process that are later count too: then no window
 * holds more than the maximum, whatever the order in which starts are written down. Those further ahead than the window
 * are of a clock that has been set back since.
 */
export function countStarts(looking: Looking, { gate, per }: Limit): number {
  let gates = counted.get(looking);
  if (gates === undefined) counted.set(looking, (gates = new Map()));
  let windows = gates.get(gate);
  if (windows === undefined) gates.set(gate, (windows = new Map()));
  let count = windows.get(per);
  if (count === undefined) {
    const { queue, now } = looking;
    [count] = looking.raw(COUNT).get(queue.id, gate, now - per, now + per) as [number];
    windows.set(per, count);
  }
  return count;
}

/** When a window has room for one more; `reserved`: starts that are promised already. `undefined`: no time tells. */
export function roomAt(looking: Looking, { gate, max, per }: Limit, reserved: number): number | undefined {
  const { queue, now } = looking;
  const free = max - reserved;
  if (free <= 0) return undefined;
  const row = looking
    .raw(
      "SELECT time FROM {starts} WHERE queue = ? AND gate = ? AND time < ? ORDER BY time DESC LIMIT 1 OFFSET ? + 0",
    )
    .get(queue.id, gate, now + per, free - 1) as [number] | undefined;
  return row === undefined ? now : row[0] + per;
}

interface Holder {
  /** The key of a job, or `t:` and the name of an operation. */
  readonly holder: string;
  /** Of the run; 0 of an operation. */
  readonly fence: number;
}

/** Writes a start down. It is kept for the longest window that anybody has asked for. */
export function addStart(move: Move, { gate, per }: Limit, { holder, fence }: Holder): void {
  const { now, queue } = move;
  const newest = move
    .raw("SELECT time, until FROM {starts} WHERE queue = ? AND gate = ? ORDER BY time DESC LIMIT 1")
    .get(queue.id, gate) as [time: number, until: number] | undefined;
  const span = newest === undefined || newest[1] <= now ? per : Math.max(per, newest[1] - newest[0]);
  move
    .sql("INSERT OR IGNORE INTO {starts} (queue, gate, time, fence, holder, until) VALUES (?, ?, ?, ?, ?, ?)")
    .run(queue.id, gate, now, fence, holder, now + span);
  const windows = counted.get(move)?.get(gate);
  for (const [length, count] of windows ?? []) windows?.set(length, count + 1);
  move
    .sql(
      // With the plus, SQLite looks among the few of this gate, not among all that are out of their windows.
      "DELETE FROM {starts} WHERE queue = ? AND gate = ? AND +until <= ? AND time <= " +
        "(SELECT time FROM {starts} WHERE queue = ? AND gate = ? ORDER BY time LIMIT 1 OFFSET ? + 0)",
    )
    .run(queue.id, gate, now - KEPT_BEYOND, queue.id, gate, FORGOTTEN_PER_START - 1);
}

/** Takes a start back; whether it was there. */
export function removeStart(move: Move, gate: string, { holder, fence }: Holder): boolean {
  const { changes } = move
    .sql("DELETE FROM {starts} WHERE queue = ? AND gate = ? AND fence = ? AND holder = ?")
    .run(move.queue.id, gate, fence, holder);
  counted.get(move)?.delete(gate);
  return changes > 0;
}

/** Forgets starts that are out of every window; a bounded number. Answers whether there may be more. */
export function forgetStarts(move: Move): boolean {
  const { changes } = move
    .sql(
      "DELETE FROM {starts} WHERE (queue, gate, time, fence, holder) IN (SELECT queue, gate, time, fence, holder " +
        `FROM {starts} WHERE queue = ? AND until <= ? LIMIT ${FORGOTTEN_AT_ONCE})`,
    )
    .run(move.queue.id, move.now - KEPT_BEYOND);
  return changes === FORGOTTEN_AT_ONCE;
}

/** Whether there are such starts. */
export function hasOldStarts(connection: Connection, { id }: OpenQueue, now: number): boolean {
  const old = connection.raw("SELECT 1 FROM {starts} WHERE queue = ? AND until <= ? LIMIT 1");
  return old.get(id, now - KEPT_BEYOND) !== undefined;
}
