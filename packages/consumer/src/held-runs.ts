import type { Engine, RunHost } from "@taskq/core/engine";
import type { ClaimedJob, RunReference } from "@taskq/core/storage";
import { HeldRun } from "./held-run.js";
import { ageOf, type Stamp } from "./stamp.js";
import { YoungMap } from "./young-map.js";

/** Runs that are added before an index is let go of which nobody has asked meanwhile. */
const UNASKED = 1_024;

/**
 * The runs of one queue that this consumer holds, from claim to the answer of their settlement.
 *
 * An index by id is made only when it is asked for: ids sort as they were made, jobs mostly come in that order, and one
 * with a greater id than any before it is not held yet.
 */
export class HeldRuns {
  readonly #engine: Engine;
  readonly #host: RunHost;
  readonly #runs: HeldRun[] = [];
  /** No run here has a greater id. */
  #greatest = "";
  #byId: YoungMap<string, HeldRun> | undefined;
  /** Runs added since somebody asked for the index. */
  #unasked = 0;
  /** No lease here was vouched for earlier than this. */
  #oldest: Stamp | undefined;

  constructor(engine: Engine, host: RunHost) {
    this.#engine = engine;
    this.#host = host;
  }

  get size(): number {
    return this.#runs.length;
  }

  /** Milliseconds since the storage vouched for the oldest lease, or before that; 0 if nothing is held. */
  get age(): number {
    return this.#oldest === undefined || this.#runs.length === 0 ? 0 : ageOf(this.#oldest);
  }

  /** The run of this id, under whatever fence; of several, the latest. */
  get(id: string): HeldRun | undefined {
    return id > this.#greatest ? undefined : this.#index().get(id);
  }

  find({ id, fence }: RunReference): HeldRun | undefined {
    const held = this.get(id);
    return held?.claimed.fence === fence ? held : undefined;
  }

  add(claimed: ClaimedJob, vouched: Stamp): HeldRun {
    if (this.#runs.length === 0) this.#begin(vouched);
    const held = new HeldRun(this.#engine, claimed, this.#host, vouched);
    held.seat = this.#runs.push(held) - 1;
    if (claimed.id > this.#greatest) this.#greatest = claimed.id;
    if (this.#byId === undefined) return held;
    this.#byId.set(claimed.id, held);
    this.#unasked += 1;
    if (this.#unasked > UNASKED) this.#byId = undefined;
    return held;
  }

  /** It is settled, lost or given up. */
  remove(held: HeldRun): void {
    held.state = "gone";
    if (this.#runs[held.seat] !== held) return;
    const last = this.#runs.pop();
    if (last !== undefined && last !== held) {
      this.#runs[held.seat] = last;
      last.seat = held.seat;
    }
    held.seat = -1;
    const { id } = held.claimed;
    if (this.#byId?.get(id) === held) this.#byId.delete(id);
  }

  all(): HeldRun[] {
    return [...this.#runs];
  }

  /** The storage has renewed the leases of these. */
  renewed(runs: readonly HeldRun[], vouched: Stamp): void {
    for (const held of runs) held.vouched = vouched;
    this.#oldest = vouched;
  }

  #begin(oldest: Stamp): void {
    this.#oldest = oldest;
    this.#greatest = "";
    this.#byId = undefined;
  }

  #index(): YoungMap<string, HeldRun> {
    this.#unasked = 0;
    if (this.#byId !== undefined) return this.#byId;
    const made = new YoungMap<string, HeldRun>();
    for (const held of this.#runs) {
      const { id, fence } = held.claimed;
      const known = made.get(id);
      if (known === undefined || known.claimed.fence < fence) made.set(id, held);
    }
    return (this.#byId = made);
  }
}
