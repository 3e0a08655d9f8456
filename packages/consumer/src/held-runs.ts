import type { Engine, RunHost } from "@taskq/core/engine";
import type { ClaimedJob, RunReference } from "@taskq/core/storage";
import { HeldRun } from "./held-run.js";
import { ageOf, type Stamp } from "./stamp.js";
import { YoungMap } from "./young-map.js";

/** The runs of one queue that this consumer holds, from claim to the answer of their settlement. */
export class HeldRuns {
  readonly #engine: Engine;
  readonly #host: RunHost;
  readonly #byId = new YoungMap<string, HeldRun>();
  /** No lease here was vouched for earlier than this. */
  #oldest: Stamp | undefined;

  constructor(engine: Engine, host: RunHost) {
    this.#engine = engine;
    this.#host = host;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Milliseconds since the storage vouched for the oldest lease, or before that; 0 if nothing is held. */
  get age(): number {
    return this.#oldest === undefined || this.#byId.size === 0 ? 0 : ageOf(this.#oldest);
  }

  /** The run of this id, under whatever fence. */
  get(id: string): HeldRun | undefined {
    return this.#byId.get(id);
  }

  find({ id, fence }: RunReference): HeldRun | undefined {
    const held = this.#byId.get(id);
    return held?.claimed.fence === fence ? held : undefined;
  }

  add(claimed: ClaimedJob, vouched: Stamp): HeldRun {
    if (this.#byId.size === 0) this.#oldest = vouched;
    const held = new HeldRun(this.#engine, claimed, this.#host, vouched);
    this.#byId.set(claimed.id, held);
    return held;
  }

  /** It is settled, lost or given up. */
  remove(held: HeldRun): void {
    held.state = "gone";
    const { id } = held.claimed;
    if (this.#byId.get(id) === held) this.#byId.delete(id);
  }

  all(): HeldRun[] {
    return this.#byId.values();
  }

  /** The storage has renewed the leases of these. */
  renewed(runs: readonly HeldRun[], vouched: Stamp): void {
    for (const held of runs) held.vouched = vouched;
    this.#oldest = vouched;
  }
}
