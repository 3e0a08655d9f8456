import { TaskqError } from "../errors.js";

/** Stops a consumer because a queue that it serves closes; resolves once that has settled what it had begun. */
type Stop = () => Promise<void>;

/** The consumers of this process that serve a queue: it closes once they have stopped. */
export class ServingConsumers {
  readonly #queue: string;
  readonly #stops = new Set<Stop>();
  #closing = false;

  constructor(queue: string) {
    this.#queue = queue;
  }

  get size(): number {
    return this.#stops.size;
  }

  /**
   * One begins to serve. None does once the queue closes: what it claimed could not be settled.
   *
   * @throws `TASKQ_CLOSED`
   */
  add(stop: Stop): void {
    if (this.#closing) throw new TaskqError("TASKQ_CLOSED", `the queue '${this.#queue}' is closed`);
    this.#stops.add(stop);
  }

  delete(stop: Stop): void {
    this.#stops.delete(stop);
  }

  /** Stops all, and keeps others from beginning. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(Array.from(this.#stops, (stop) => stop()));
  }
}
