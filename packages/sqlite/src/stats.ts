import {
  GatheredStats,
  Histogram,
  STATS_KEPT,
  type HistogramData,
  type SettleAnswer,
  type StatsRow,
  type StepRequest,
} from "@taskq/core/storage";
import type { Move } from "./move.js";
import { LEAVING, phaseOf, STILL } from "./moving.js";
import { recordApplied } from "./pending-stats.js";
import { histogramOf } from "./stats-reading.js";

/** Minutes that one flush lets go are bounded, by rows. */
const FORGOTTEN_PER_FLUSH = 500;

/**
 * Gathers what was settled, and at most once a second writes what was gathered since, this step's own included: a
 * settlement by itself costs no statement.
 */
export function gatherStats(
  move: Move,
  { settled: settlements, last = false }: StepRequest,
  answers: readonly SettleAnswer[],
): void {
  const { scope, queue, now } = move;
  const { stats } = queue;
  if (settlements.length === 0 && stats.gathered.isEmpty) return;
  // A queue that leaves is soon read by somebody else.
  if (!stats.mayFlush(now, last || queue.seldom?.phase === LEAVING)) {
    if (settlements.length > 0) {
      scope.isGathered = true;
      scope.onCommit(() => stats.record(settlements, answers, now));
    }
    return;
  }
  const own = new GatheredStats();
  recordApplied(own, settlements, answers, now);
  if (!own.isEmpty || !stats.gathered.isEmpty) flushStats(move, own);
}

/** Writes what was gathered, and what this transaction adds to it. */
export function flushStats(move: Move, own: GatheredStats = new GatheredStats()): void {
  const { scope, queue, now } = move;
  const { stats } = queue;
  // What is being read by a move stays as it is; what was gathered too late for it is written behind it.
  if (phaseOf(move) === STILL) return;
  const taken = stats.take();
  scope.onCommit(() => stats.written(now));
  scope.onRollback(() => stats.notWritten());
  for (const row of taken.rows()) own.add(row);
  for (const row of own.rows()) addRow(move, row);
  move
    .sql(
      "DELETE FROM {stats} WHERE queue = ? AND (minute, task) IN " +
        `(SELECT minute, task FROM {stats} WHERE queue = ? AND minute <= ? ORDER BY minute LIMIT ${FORGOTTEN_PER_FLUSH})`,
    )
    .run(queue.id, queue.id, now - STATS_KEPT);
}

/** Adds to what others, or an earlier flush, have written of that minute. */
export function addRow(move: Move, row: StatsRow): void {
  const { id } = move.queue;
  const known = move
    .raw("SELECT wait, run FROM {stats} WHERE queue = ? AND minute = ? AND task = ?")
    .get(id, row.minute, row.task) as [string, string] | undefined;
  move
    .sql(
      "INSERT INTO {stats} (queue, minute, task, completed, failed, retried, wait, run) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET completed = completed + excluded.completed, " +
        "failed = failed + excluded.failed, retried = retried + excluded.retried, wait = excluded.wait, run = excluded.run",
    )
    .run(
      id,
      row.minute,
      row.task,
      row.completed,
      row.failed,
      row.retried,
      joined(known?.[0], row.wait),
      joined(known?.[1], row.run),
    );
}

function joined(known: string | undefined, data: HistogramData): string {
  if (known === undefined) return JSON.stringify(data);
  const histogram = new Histogram();
  histogram.add(histogramOf(known));
  histogram.add(data);
  return JSON.stringify(histogram.data());
}
