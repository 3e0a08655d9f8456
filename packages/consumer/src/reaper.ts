import { reportEffects, reportReaped, type Engine } from "@taskq/core/engine";
import type { Rest } from "./loop.js";
import type { Outage } from "./outage.js";

/** Runs taken in one call. */
const BATCH = 100;
/** Bounds of the pause between two looks, in milliseconds: other consumers may have shorter leases. */
const SHORTEST_PAUSE = 20;
const LONGEST_PAUSE = 15_000;

export interface ReaperOptions {
  readonly engine: Engine;
  /** In milliseconds. */
  readonly lease: number;
  readonly outage: Outage;
  /** Jobs are ready again. */
  readonly reaped: () => void;
}

/** Takes the runs of consumers that died. Every consumer does, and needs no leader: the storage lets each go once. */
export class Reaper {
  readonly #options: ReaperOptions;

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  async tick(): Promise<Rest> {
    const { engine, lease, outage, reaped } = this.#options;
    const pause = this.#caution();
    if (pause > 0) return { most: pause };
    const answer = await outage.ask(() =>
      engine.storage.reap({ queue: engine.name, limit: BATCH, now: engine.time.requestNow() }),
    );
    if (answer === undefined) return { most: Infinity };
    reportReaped(engine, answer.reaped);
    reportEffects(engine, answer.effects);
    if (answer.reaped.length > 0) reaped();
    if (answer.reaped.length === BATCH) return { most: 0 };
    const soonest = engine.time.now() + SHORTEST_PAUSE;
    return {
      at: answer.nextAt === undefined ? undefined : Math.max(answer.nextAt, soonest),
      most: Math.min(lease / 2, LONGEST_PAUSE),
    };
  }

  /** How long nothing is taken, in milliseconds. After an outage, leases are over that others are about to renew: a whole lease is left to them. */
  #caution(): number {
    const { lease, outage } = this.#options;
    return outage.connected ? Math.max(0, outage.endedAt + lease - performance.now()) : Infinity;
  }
}
