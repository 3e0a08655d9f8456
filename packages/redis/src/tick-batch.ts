/** Plain jobs that are enqueued one by one in the same tick, stored by one call for all of them. */
import type { EnqueueAnswer, EnqueueCollision, EnqueueRequest, NewFlow } from "@taskq/core/storage";

/** The most flows and bytes of one call: while the server stores some, this side packs the next. */
const MOST_FLOWS = 128;
const MOST_BYTES = 1_048_576;

export interface TickBatchOptions {
  /** Stores plain flows, and answers their states, a byte each; `undefined` if it stored none of them. */
  readonly together: (flows: readonly NewFlow[]) => Promise<Buffer | undefined>;
  /** Stores one alone, of which another perhaps stood in the way. */
  readonly alone: (request: EnqueueRequest, since: number) => Promise<Answer>;
  /** What is told of one that was stored in the state at this place. */
  readonly answer: (flows: readonly NewFlow[], states: Buffer, place: number) => Answer;
}

type Answer = EnqueueAnswer | EnqueueCollision;

/** The requests of this tick so far, of one queue. */
export class TickBatch {
  readonly #options: TickBatchOptions;
  #flows: NewFlow[] = [];
  #bytes = 0;
  /** When the first of them came, by `performance.now()`. */
  #since = 0;
  /** Of all of them: a promise for each would be made besides those that wait for it. */
  #states: Promise<Buffer | undefined> = Promise.resolve(undefined);
  #send: (states: Promise<Buffer | undefined>) => void = () => {};

  constructor(options: TickBatchOptions) {
    this.#options = options;
  }

  /** Stores the plain flow of a request, its only one, with the others of this tick. */
  add(request: EnqueueRequest, flow: NewFlow): Promise<Answer> {
    const place = this.#flows.length;
    if (place === 0) this.#begin();
    this.#flows.push(flow);
    const { alone, answer } = this.#options;
    const since = this.#since;
    const answered = this.#states.then((states) =>
      states === undefined ? alone(request, since) : answer(request.flows, states, place),
    );
    this.#bytes += flow.jobs[0]?.body.length ?? 0;
    if (this.#flows.length === MOST_FLOWS || this.#bytes > MOST_BYTES) this.flush();
    return answered;
  }

  #begin(): void {
    this.#since = performance.now();
    this.#states = new Promise((resolve) => {
      this.#send = resolve;
    });
    // Once what runs now, and all that it has set going, has come to its end.
    process.nextTick(this.flush);
  }

  /** Sends what is there. */
  readonly flush = (): void => {
    const flows = this.#flows;
    if (flows.length === 0) return;
    this.#flows = [];
    this.#bytes = 0;
    this.#send(this.#options.together(flows));
  };
}
