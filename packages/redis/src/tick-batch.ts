/** Plain jobs that are enqueued one by one in the same tick, stored by one call for all of them. */
import type { NewFlow } from "@taskq/core/storage";
import type { OpenQueue } from "./open-queue.js";

/** The most flows and bytes of one call: while the server stores some, this side packs the next. */
const MOST_FLOWS = 128;
const MOST_BYTES = 1_048_576;

/** Stores plain flows; the state of each, or `undefined` if it stored none of them. */
export type StoreFlows = (
  queue: OpenQueue,
  flows: readonly NewFlow[],
) => Promise<readonly ("ready" | "scheduled")[] | undefined>;

/** What became of one flow; `undefined`: it was not stored, and is to be stored otherwise. */
type State = "ready" | "scheduled" | undefined;

interface Waiting {
  readonly resolve: (state: State) => void;
  readonly reject: (error: unknown) => void;
}

/** The flows of this tick so far, of one queue. */
export class TickBatch {
  readonly #queue: OpenQueue;
  readonly #store: StoreFlows;
  #flows: NewFlow[] = [];
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(queue: OpenQueue, store: StoreFlows) {
    this.#queue = queue;
    this.#store = store;
  }

  /** Stores a flow of one job with the others of this tick. */
  add(flow: NewFlow): Promise<State> {
    return new Promise((resolve, reject) => {
      // Once what runs now, and all that it has set going, has come to its end.
      if (this.#flows.length === 0) process.nextTick(this.flush);
      this.#flows.push(flow);
      this.#waiting.push({ resolve, reject });
      this.#bytes += flow.jobs[0]?.body.length ?? 0;
      if (this.#flows.length === MOST_FLOWS || this.#bytes > MOST_BYTES) this.flush();
    });
  }

  /** Sends what is there. */
  readonly flush = (): void => {
    const [flows, waiting] = [this.#flows, this.#waiting];
    if (flows.length === 0) return;
    this.#flows = [];
    this.#waiting = [];
    this.#bytes = 0;
    void this.#send(flows, waiting);
  };

  async #send(flows: readonly NewFlow[], waiting: readonly Waiting[]): Promise<void> {
    try {
      const states = await this.#store(this.#queue, flows);
      for (const [place, { resolve }] of waiting.entries()) resolve(states?.[place]);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
