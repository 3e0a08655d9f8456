import { setImmediate as nextTurn } from "node:timers/promises";
import {
  GatheredStats,
  STATS_KEPT,
  STATS_MINUTE,
  type HistogramData,
  type StatsAnswer,
  type StatsRow,
} from "@taskq/core/storage";
import type { Connection, Reader } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { currentSeldom } from "./seldom.js";

/** Rows that are read in one go. */
const ROWS_AT_ONCE = 200;
/** Priorities that are looked at one by one; with more of them, all that is ready is looked at. */
const MOST_PRIORITIES = 100;

/** What is written, and what this process has not written yet. */
export async function readStats(
  read: Reader,
  queue: OpenQueue,
  from: number,
  now: number,
): Promise<StatsAnswer> {
  const since = Math.max(from, now - STATS_KEPT) - STATS_MINUTE + 1;
  const earlier: StatsRow[] = [];
  const oldestDue = await read((connection) => oldest(connection, queue, now));
  // Minutes that a flush may still add to are read at one moment with what it would add.
  const turn = Math.min(now - (now % STATS_MINUTE), queue.stats.gathered.rows()[0]?.minute ?? Infinity);
  for (let last: StatsRow | undefined; ;) {
    const page = await read((connection) => pageOf(connection, queue, { since, before: turn, last }));
    earlier.push(...page);
    last = page.at(-1);
    if (page.length < ROWS_AT_ONCE) break;
    await nextTurn();
  }
  const latest = await read((connection) => latestRows(connection, queue, Math.max(since, turn)));
  return { oldestDue, rows: [...earlier, ...latest] };
}

export type StatsColumns = [string, number, number, number, number, string, string];

const SELECT = "SELECT task, minute, completed, failed, retried, wait, run FROM {stats} WHERE queue = ?";

interface Page {
  readonly since: number;
  readonly before: number;
  readonly last: StatsRow | undefined;
}

function pageOf(connection: Connection, queue: OpenQueue, { since, before, last }: Page): StatsRow[] {
  const rows = connection
    .raw(`${SELECT} AND (minute, task) > (?, ?) AND minute < ? ORDER BY minute, task LIMIT ${ROWS_AT_ONCE}`)
    .all(queue.id, last?.minute ?? since, last?.task ?? "", before) as StatsColumns[];
  return rows.map(statsRow);
}

function latestRows(connection: Connection, queue: OpenQueue, since: number): readonly StatsRow[] {
  const rows = connection
    .raw(`${SELECT} AND minute >= ? ORDER BY minute, task`)
    .all(queue.id, since) as StatsColumns[];
  const sum = new GatheredStats();
  for (const row of rows) sum.add(statsRow(row));
  for (const row of queue.stats.gathered.rows(since)) sum.add(row);
  return sum.rows();
}

export function statsRow([task, minute, completed, failed, retried, wait, run]: StatsColumns): StatsRow {
  const histograms = { wait: histogramOf(wait), run: histogramOf(run) };
  return { task, minute, completed, failed, retried, ...histograms };
}

/** What a stored text tells; of one that is damaged, nothing: a number for people keeps no job from its end. */
export function histogramOf(text: string): HistogramData {
  try {
    const { max, counts } = JSON.parse(text) as Partial<HistogramData>;
    if (typeof max === "number" && Array.isArray(counts)) return { max, counts };
  } catch {
    // As for one that tells something else.
  }
  return { max: 0, counts: [] };
}

/** When the job became due that waits longest, ready or parked. */
function oldest(connection: Connection, queue: OpenQueue, now: number): number | undefined {
  // Members of failed joins count as skipped, written down or not.
  const alive =
    currentSeldom(connection, queue).doomed.length > 0
      ? "AND (trunk IS NULL OR trunk NOT IN (SELECT key FROM {doomed})) "
      : "";
  const [parked, later] = connection
    .raw(
      `SELECT (SELECT min(due) FROM {jobs} WHERE queue = {queues}.id AND gate > '' ${alive}), ` +
        `(SELECT later FROM {jobs} WHERE queue = {queues}.id AND later IS NOT NULL ${alive}ORDER BY later LIMIT 1) ` +
        "FROM {queues} WHERE id = ?",
    )
    .get(queue.id) as [number | null, number | null];
  const ready = oldestReady(connection, queue, alive);
  const due = Math.min(ready ?? Infinity, parked ?? Infinity, later ?? Infinity);
  return due <= now ? due : undefined;
}

/** The first of each priority: the index has them in that order. */
function oldestReady(connection: Connection, queue: OpenQueue, alive: string): number | undefined {
  const first = connection.raw(
    `SELECT priority, due FROM {jobs} WHERE queue = ? AND state = 0 AND priority < ? ${alive}` +
      "ORDER BY priority DESC, due LIMIT 1",
  );
  let oldestDue = Infinity;
  let priority = 2 ** 31;
  for (let looks = 0; looks < MOST_PRIORITIES; looks += 1) {
    const found = first.get(queue.id, priority) as [number, number] | undefined;
    if (found === undefined) return oldestDue;
    [priority] = found;
    oldestDue = Math.min(oldestDue, found[1]);
  }
  const rest = connection
    .raw(`SELECT min(due) FROM {jobs} WHERE queue = ? AND state = 0 ${alive}`)
    .get(queue.id) as [number | null];
  return rest[0] ?? undefined;
}
