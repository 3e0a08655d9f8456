import { milliseconds, type Duration } from "../duration.js";
import { engineOf } from "../engine/engine-of.js";
import type { Engine } from "../engine/engine-types.js";
import { InlineRunner } from "../engine/inline.js";
import { Ticker } from "../engine/ticker.js";
import { TaskqError } from "../errors.js";
import type { Queue } from "../vocabulary/queue.js";
import type { VirtualClock } from "./virtual-clock.js";

/**
 * Moves the virtual clock of immediate queues, and executes what becomes due on the way, each at its instant: delayed
 * jobs, retries, and periodic tasks, which start to count with the first call.
 *
 * @throws `TASKQ_IMMEDIATE` for a queue that is not in immediate mode, `TASKQ_OPTION` for a bad duration or a clock that
 * cannot be advanced
 * @example
 * await queue.enqueue(remind.job({ id }), { delay: "1h" });
 * await advance(queue, "1h");
 */
export async function advance(queues: Queue | readonly Queue[], by: Duration): Promise<void> {
  const stretch = milliseconds(by, "advance");
  const players = [queues].flat().map((queue) => playerOf(engineOf(queue)));
  for (const { engine, ticker } of players) {
    await engine.open();
    await ticker.declare();
  }
  const clocks = new Map(players.map(({ clock }) => [clock, clock.now() + stretch]));
  for (;;) {
    const next = await runAll(players);
    const reachable = next === undefined ? undefined : reachableBy(clocks, next);
    if (reachable === undefined) break;
    for (const clock of clocks.keys()) await moveTo(clock, reachable);
  }
  for (const [clock, end] of clocks) await moveTo(clock, end);
}

interface Player {
  readonly engine: Engine;
  readonly clock: VirtualClock;
  readonly runner: InlineRunner;
  readonly ticker: Ticker;
}

const players = new WeakMap<Engine, Player>();

function playerOf(engine: Engine): Player {
  const known = players.get(engine);
  if (known !== undefined) return known;
  if (engine.runInline === undefined) {
    throw new TaskqError(
      "TASKQ_IMMEDIATE",
      `advance: the queue '${engine.name}' is not in immediate mode; drain(queue, { until }) runs the stored path`,
    );
  }
  const { clock } = engine.time;
  if (!("advance" in clock)) {
    throw new TaskqError(
      "TASKQ_OPTION",
      "advance: expected a queue with a virtual clock, such as virtualClock()",
    );
  }
  const player = {
    engine,
    clock: clock as VirtualClock,
    runner: new InlineRunner(engine),
    ticker: new Ticker(engine),
  };
  players.set(engine, player);
  return player;
}

/** Runs what is due now, and answers the next instant at which something is. */
async function runAll(all: readonly Player[]): Promise<number | undefined> {
  let earliest: number | undefined;
  for (const { runner, ticker, engine } of all) {
    const tick = await ticker.tick();
    const due = await runner.runDue();
    for (const instant of [tick, due]) {
      if (instant === undefined || instant <= engine.time.now()) continue;
      earliest = earliest === undefined ? instant : Math.min(earliest, instant);
    }
  }
  return earliest;
}

function reachableBy(clocks: ReadonlyMap<VirtualClock, number>, instant: number): number | undefined {
  return [...clocks.values()].some((end) => instant <= end) ? instant : undefined;
}

async function moveTo(clock: VirtualClock, instant: number): Promise<void> {
  const left = instant - clock.now();
  if (left > 0) await clock.advance(left);
}
