/** Executes the stored path in the caller, in virtual time: for tests. */
import type { Queue } from "@taskq/core";
import {
  epochMilliseconds,
  InlineRunner,
  refuseUnknown,
  Ticker,
  type Engine,
  type FinishedRun,
} from "@taskq/core/engine";
import { enginesOf } from "./served-engines.js";

/** How many runs ended so. */
export interface DrainReport {
  readonly completed: number;
  readonly failed: number;
  readonly retried: number;
  readonly cancelled: number;
}

/**
 * Executes in this process, in virtual time, until nothing is left that is due; with `until`, that becomes due by then.
 *
 * One job at a time. Retries, delays and periodic tasks take no real time: the queues' time stands at each instant at
 * which something is due, and is the real one again afterwards.
 *
 * @throws `TASKQ_IMMEDIATE` for a queue in immediate mode, `TASKQ_OPTION` for an option that is none
 * @example
 * await queue.enqueue(remind.job({ id }), { delay: "1h" });
 * const { completed } = await drain(queue, { until: new Date(Date.now() + 3_600_000) });
 */
export async function drain(
  queues: Queue | readonly Queue[],
  options: { readonly until?: Date } = {},
): Promise<DrainReport> {
  const engines = enginesOf(queues, "drain", "advance(queue, by) from @taskq/core/testing moves its time");
  refuseUnknown(options, ["until"], "drain");
  const until = options.until === undefined ? undefined : epochMilliseconds(options.until, "drain until");
  const counts = { completed: 0, failed: 0, retried: 0, cancelled: 0 };
  const players = engines.map((engine): Player => ({
    engine,
    runner: new InlineRunner(engine),
    ticker: new Ticker(engine),
  }));
  try {
    for (const { engine, ticker } of players) {
      await engine.open();
      await ticker.declare();
    }
    if (until !== undefined) moveTo(engines, Math.max(...engines.map(({ time }) => time.now())));
    for (;;) {
      const next = await runWhatIsDue(players, (finished) => count(counts, finished));
      if (until === undefined || next === undefined || next > until) return counts;
      moveTo(engines, next);
    }
  } finally {
    for (const { time } of engines) time.override = time.pass = undefined;
  }
}

/** Virtual time, the same for all: never back, as a handler may have waited for a later instant. */
function moveTo(engines: readonly Engine[], instant: number): void {
  const now = Math.max(instant, ...engines.map(({ time }) => time.override ?? instant));
  for (const { time } of engines) {
    time.override = now;
    time.pass = (awaited) => moveTo(engines, awaited);
  }
}

interface Player {
  readonly engine: Engine;
  readonly runner: InlineRunner;
  readonly ticker: Ticker;
}

/** Runs until nothing is due now, and answers the next instant at which one has. */
async function runWhatIsDue(
  players: readonly Player[],
  ended: (finished: FinishedRun) => void,
): Promise<number | undefined> {
  for (;;) {
    let runs = 0;
    let next: number | undefined;
    for (const { engine, runner, ticker } of players) {
      const tick = await ticker.tick();
      const due = await runner.runDue((finished) => {
        runs += 1;
        ended(finished);
      });
      for (const instant of [tick, due]) {
        if (instant === undefined || instant <= engine.time.now()) continue;
        next = next === undefined ? instant : Math.min(next, instant);
      }
    }
    // A handler may have made a schedule, or something for a queue that had its turn.
    if (runs === 0) return next;
  }
}

function count(counts: { -readonly [Name in keyof DrainReport]: number }, { settlement }: FinishedRun): void {
  switch (settlement.outcome.kind) {
    case "completed":
      counts.completed += 1;
      return;
    case "failed":
    case "quarantined":
      counts.failed += 1;
      return;
    case "retry":
      counts.retried += 1;
      return;
    case "cancelled":
      counts.cancelled += 1;
      return;
    // Not run at all, or given back.
    case "released":
    case "postponed":
    case "keyed":
    case "interrupted":
    case "expired":
    case "skipped":
      return;
  }
}
