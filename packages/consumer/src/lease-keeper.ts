import type { Engine } from "@taskq/core/engine";
import type { Dispatcher } from "./dispatcher.js";
import type { HeldRuns } from "./held-runs.js";
import type { Rest } from "./loop.js";
import type { Outage } from "./outage.js";
import { stampNow } from "./stamp.js";

export interface LeaseKeeperOptions {
  readonly engine: Engine;
  readonly owner: string;
  /** In milliseconds. */
  readonly lease: number;
  readonly runs: HeldRuns;
  readonly dispatcher: Dispatcher;
  readonly outage: Outage;
}

/** Renews all leases of one queue in one call, every third of a lease. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #interval: number;
  #renewing: Promise<boolean> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#interval = options.lease / 3;
  }

  /** Whether a renewal comes before anything else: it is due, or the storage was away. */
  get isDue(): boolean {
    const { runs, outage } = this.#options;
    return runs.size > 0 && (!outage.connected || runs.age >= this.#interval);
  }

  async tick(): Promise<Rest> {
    const { runs, outage } = this.#options;
    // While the storage is away, the worker asks it, with a renewal first.
    if (!outage.connected) return { most: Infinity };
    if (runs.size > 0 && runs.age >= this.#interval / 2) await this.renew();
    return { most: Math.max(1, this.#interval - runs.age) };
  }

  /** Whether the storage has answered. */
  async renew(): Promise<boolean> {
    this.#renewing ??= this.#renew();
    try {
      return await this.#renewing;
    } finally {
      this.#renewing = undefined;
    }
  }

  async #renew(): Promise<boolean> {
    const { engine, owner, lease, runs, dispatcher, outage } = this.#options;
    const held = runs.all();
    const stamp = stampNow();
    const answer = await outage.ask(() =>
      engine.storage.renew({
        queue: engine.name,
        owner,
        lease,
        runs: held.map(({ claimed: { id, fence } }) => ({ id, fence })),
        now: engine.time.requestNow(),
      }),
    );
    if (answer === undefined) return false;
    runs.renewed(held, stamp);
    for (const reference of answer.lost) {
      const lost = runs.find(reference);
      if (lost !== undefined) dispatcher.lose(lost);
    }
    for (const reference of answer.revoked) dispatcher.revoke(reference);
    dispatcher.start();
    return true;
  }
}
