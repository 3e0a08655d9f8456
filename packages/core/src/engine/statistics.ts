/** `queue.stats`. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { milliseconds, type Duration } from "../duration.js";
import { oneOf, refuseUnknown, unexpected } from "../options.js";
import { Histogram, STATS_KEPT, STATS_MINUTE, type StatsRow } from "../storage.js";
import type {
  MinuteStats,
  Percentiles,
  Stats,
  StatsByTask,
  TaskBacklog,
  TaskStats,
} from "../vocabulary/introspection.js";
import type { Engine } from "./engine-types.js";

/** Minutes that are added up in one go. */
const MINUTES_AT_ONCE = 50;

export async function readStats(
  engine: Engine,
  options: { readonly window?: Duration; readonly by?: "task" } = {},
): Promise<Stats> {
  refuseUnknown(options, ["window", "by"], "stats");
  const byTask = options.by !== undefined && oneOf(options.by, ["task"], "stats by") === "task";
  const window = milliseconds(options.window === undefined ? "1h" : options.window, "stats window");
  if (window > STATS_KEPT) {
    throw unexpected(
      "stats window",
      "a duration of at most '48h', as long as statistics are kept",
      options.window,
    );
  }
  await engine.open();
  const now = engine.time.now();
  const since = Math.floor((now - window) / STATS_MINUTE) * STATS_MINUTE;
  const answer = await engine.storage.stats({
    queue: engine.name,
    since,
    byTask,
    now: engine.time.requestNow(),
  });
  const waiting = (due: number | undefined) => (due === undefined ? undefined : Math.max(0, now - due));
  const stats = await statsOf(since, waiting(answer.oldestDue), answer.rows);
  return byTask ? withBacklog(stats, answer.oldestDueByTask ?? {}, waiting) : stats;
}

function withBacklog(
  stats: Stats,
  oldest: Readonly<Record<string, number>>,
  waiting: (due: number | undefined) => number | undefined,
): StatsByTask {
  // Maps: a task may be called `constructor`.
  const known = new Map(Object.entries(stats.tasks));
  const due = new Map(Object.entries(oldest));
  const names = new Set([...known.keys(), ...due.keys()]);
  const tasks = [...names].map((task): [string, TaskBacklog] => [
    task,
    { ...(known.get(task) ?? new Sum().stats()), oldestWaitingMs: waiting(due.get(task)) },
  ]);
  return { ...stats, tasks: Object.fromEntries(tasks) };
}

async function statsOf(
  since: number,
  oldestWaitingMs: number | undefined,
  rows: readonly StatsRow[],
): Promise<Stats> {
  const total = new Sum();
  const tasks = new Map<string, Sum>();
  const minutes: MinuteStats[] = [];
  for (let from = 0; from < rows.length;) {
    const minute = rows[from]?.minute ?? 0;
    const sum = new Sum();
    for (; rows[from]?.minute === minute; from += 1) {
      const row = rows[from];
      if (row === undefined) break;
      sum.add(row);
      sumOf(tasks, row.task).add(row);
    }
    total.addAll(sum);
    minutes.push({ at: new Date(minute), ...sum.stats() });
    // Two days of many tasks are long to add up: others go on meanwhile.
    if (minutes.length % MINUTES_AT_ONCE === 0) await nextTurn();
  }
  return {
    since: new Date(since),
    oldestWaitingMs,
    total: total.stats(),
    tasks: Object.fromEntries([...tasks].map(([task, of]) => [task, of.stats()])),
    minutes,
  };
}

function sumOf(sums: Map<string, Sum>, task: string): Sum {
  let sum = sums.get(task);
  if (sum === undefined) sums.set(task, (sum = new Sum()));
  return sum;
}

/** Rows added up. */
class Sum {
  #completed = 0;
  #failed = 0;
  #retried = 0;
  readonly #wait = new Histogram();
  readonly #run = new Histogram();

  add({ completed, failed, retried, wait, run }: Omit<StatsRow, "task" | "minute">): void {
    this.#completed += completed;
    this.#failed += failed;
    this.#retried += retried;
    this.#wait.add(wait);
    this.#run.add(run);
  }

  addAll(other: Sum): void {
    const wait = other.#wait.data();
    const run = other.#run.data();
    this.add({ completed: other.#completed, failed: other.#failed, retried: other.#retried, wait, run });
  }

  stats(): TaskStats {
    return {
      completed: this.#completed,
      failed: this.#failed,
      retried: this.#retried,
      waitMs: percentilesOf(this.#wait),
      runMs: percentilesOf(this.#run),
    };
  }
}

function percentilesOf(histogram: Histogram): Percentiles {
  return {
    p50: histogram.atShare(0.5),
    p95: histogram.atShare(0.95),
    p99: histogram.atShare(0.99),
    max: histogram.max,
  };
}
