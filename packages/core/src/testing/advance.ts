import { milliseconds, type Duration } from "../duration.js";
import { engineOf } from "../engine/engine-of.js";
import type { Engine } from "../engine/engine-types.js";
import { inlineRunnerOf, type InlineRunner } from "../engine/inline.js";
import { currentRun } from "../engine/run-scope.js";
import { Ticker } from "../engine/ticker.js";
import { TaskqError } from "../errors.js";
import type { Queue } from "../vocabulary/queue.js";
import type { VirtualClock } from "./virtual-clock.js";

/**
 * Moves the virtual clock of immediate queues, and executes what becomes due on the way, each at its instant: delayed
 * jobs, retries, and periodic tasks, which start to count with the first call. Calls for the same clock run one after
 * the other, but one that a handler makes: that runs within the one that waits for the handler.
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
  if (currentRun() !== undefined) return advanceBy(players, stretch);
  const clocks = players.map(({ clock }) => clock);
  const before = Promise.all(clocks.flatMap((clock) => lastCalls.get(clock) ?? []));
  const call = before.then(() => advanceBy(players, stretch));
  // The next one has its turn, however this one ends.
  const ended = call.catch(() => {});
  for (const clock of clocks) lastCalls.set(clock, ended);
  await call;
}

/** Ends, of each clock, with the call that came last. */
const lastCalls = new WeakMap<VirtualClock, Promise<void>>();

async function advanceBy(players: readonly Player[], stretch: number): Promise<void> {
  for (const { engine, ticker } of players) {
    await engine.open();
    await ticker.declare();
  }
  const stretches = players.map((player) => ({ player, end: player.clock.now() + stretch }));
  for (;;) {
    const next = await runAll(stretches);
    // Nothing more is due before a clock is at its end.
    for (const { player, end } of stretches) await moveTo(player.clock, Math.min(end, next ?? end));
    if (next === undefined) return;
  }
}

interface Player {
  readonly engine: Engine;
  readonly clock: VirtualClock;
  readonly runner: InlineRunner;
  readonly ticker: Ticker;
}

/** A player, and the instant until which its clock is moved. */
interface Stretch {
  readonly player: Player;
  readonly end: number;
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
    runner: inlineRunnerOf(engine),
    ticker: new Ticker(engine),
  };
  players.set(engine, player);
  return player;
}

/** Runs until nothing is due now, and answers the next instant at which something is that its clock will reach. */
async function runAll(all: readonly Stretch[]): Promise<number | undefined> {
  for (;;) {
    let runs = 0;
    let earliest: number | undefined;
    for (const { player, end } of all) {
      const tick = await player.ticker.tick();
      const due = await player.runner.runDue(() => (runs += 1));
      const now = player.clock.now();
      for (const instant of [tick, due]) {
        if (instant !== undefined && instant > now && instant <= end)
          earliest = Math.min(earliest ?? instant, instant);
      }
    }
    // A handler may have made a schedule, or something for a queue that had its turn.
    if (runs === 0) return earliest;
  }
}

async function moveTo(clock: VirtualClock, instant: number): Promise<void> {
  const left = instant - clock.now();
  if (left > 0) await clock.advance(left);
}
