/** What a queue has done, as it goes to another storage: starts under limits, and statistics. */
import { GatheredStats, type MovedRecord, type MovedStart, type MovedStats } from "@taskq/core/storage";
import type { Arriving } from "./phase.js";
import type { Move, QueueState, Start } from "./queue-state.js";

/** Of a queue that arrives, what has come. */
export function* historyOf({ starts, stats, moving }: QueueState): Generator<MovedRecord> {
  if (moving.arriving !== undefined) {
    yield* moving.arriving.starts.values();
    yield* moving.arriving.stats.values();
    return;
  }
  for (const [key, { value }] of starts.entries()) {
    for (const start of value.starts) yield { kind: "start", key, ...start, until: start.time + value.span };
  }
  for (const row of stats.rows()) yield { kind: "stats", ...row };
}

/** Kept apart until the queue opens: the same record may come again. */
export function receiveHistory(arriving: Arriving, record: MovedStart | MovedStats): void {
  if (record.kind === "stats") arriving.stats.set(JSON.stringify([record.minute, record.task]), record);
  else arriving.starts.set(JSON.stringify([record.key, nameOf(record)]), record);
}

/** Adds what has come to what the queue has done by itself. */
export function mergeHistory({ queue, now }: Move, { starts, stats }: Arriving): void {
  for (const row of stats.values()) queue.stats.add(row);
  const byKey = new Map<string, MovedStart[]>();
  for (const start of starts.values()) {
    const known = byKey.get(start.key);
    if (known === undefined) byKey.set(start.key, [start]);
    else known.push(start);
  }
  for (const [key, come] of byKey) {
    const own = queue.starts.get(key, -Infinity);
    const known = new Set(own?.starts.map(nameOf));
    const others = come.filter((start) => !known.has(nameOf(start))).map(startOf);
    const all = [...(own?.starts ?? []), ...others].toSorted((left, right) => left.time - right.time);
    const span = Math.max(own?.span ?? 0, ...new Set(come.map(({ time, until }) => until - time)));
    queue.starts.set(key, { starts: all, span }, (all.at(-1)?.time ?? 0) + span, now);
  }
}

export function forgetHistory(queue: QueueState): void {
  queue.starts.clear();
  queue.stats = new GatheredStats();
}

function startOf({ time, holder, fence }: MovedStart): Start {
  return { time, holder, fence };
}

function nameOf({ time, holder, fence }: Start): string {
  return JSON.stringify([time, holder, fence]);
}
