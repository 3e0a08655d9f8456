/** Starts under limits: a sliding log for each key. */
import type { NewGate } from "@taskq/core/storage";
import type { Move, Start } from "./queue-state.js";

/** So many starts in any window of so many milliseconds. */
export interface Limit {
  readonly key: string;
  readonly max: number;
  readonly per: number;
}

export function limitOf({ key, max, per }: NewGate): Limit {
  return { key, max, per: per ?? 0 };
}

/**
 * Starts with which one of now shares a window. Those of a clock that was ahead count too: then no window holds more
 * than the maximum, whatever the order in which starts are written down. Those further ahead than the window are of a
 * clock that has been set back since.
 */
export function countStarts({ queue, now }: Move, { key, per }: Limit): number {
  const starts = queue.starts.get(key, now)?.starts ?? [];
  return firstFrom(starts, now + per) - firstFrom(starts, now - per + 1);
}

/** When a window has room for one more; `reserved`: starts that are promised already. `Infinity`: no time tells. */
export function instantOfRoom({ queue, now }: Move, { key, max, per }: Limit, reserved: number): number {
  const starts = queue.starts.get(key, now)?.starts ?? [];
  const free = max - reserved;
  if (free <= 0) return Infinity;
  const last = starts[firstFrom(starts, now + per) - free];
  return last === undefined ? now : last.time + per;
}

/** Writes a start down. */
export function addStart({ queue, now }: Move, { key, per }: Limit, start: Start): void {
  const log = queue.starts.get(key, now) ?? { starts: [], span: per };
  const { starts } = log;
  log.span = Math.max(log.span, per);
  starts.splice(0, firstFrom(starts, now - log.span + 1));
  starts.splice(firstFrom(starts, start.time + 1), 0, start);
  const newest = starts.at(-1) ?? start;
  queue.starts.set(key, log, newest.time + log.span, now);
}

/** Takes a start back; whether it was there. */
export function removeStart(
  { queue, now }: Move,
  key: string,
  of: { readonly holder: string; readonly fence: number },
): boolean {
  const starts = queue.starts.get(key, now)?.starts ?? [];
  const index = starts.findIndex(({ holder, fence }) => holder === of.holder && fence === of.fence);
  if (index !== -1) starts.splice(index, 1);
  return index !== -1;
}

/** The place of the first start at this instant or later. */
function firstFrom(starts: readonly Start[], instant: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const start = starts[middle];
    if (start !== undefined && start.time < instant) low = middle + 1;
    else high = middle;
  }
  return low;
}
