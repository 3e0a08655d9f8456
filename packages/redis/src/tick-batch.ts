/** Plain jobs that are enqueued one by one in the same tick, stored by one call for all of them. */
import type { EnqueueAnswer, EnqueueCollision, EnqueueRequest, NewFlow } from "@taskq/core/storage";

/** The most flows and bytes of one call: while the server stores some, this side packs the next. */
const MOST_FLOWS = 128;
const MOST_BYTES = 1_048_576;

export interface TickBatchOptions {
  /** Stores plain flows, and answers their states, a byte each; `undefined` if it stored none of them. */
  readonly together: (flows: readonly NewFlow[]) => Promise<Buffer | undefined> | undefined;
  /** Stores one alone, of which another perhaps stood in the way. */
  readonly alone: (request: EnqueueRequest, since: number) => Promise<Answer>;
  /** What is told of one that was stored in the state at this place. */
  readonly answer: (flows: readonly NewFlow[], states: Buffer, place: number) => Answer;
}

type Answer = EnqueueAnswer | EnqueueCollision;

interface Waiting {
  readonly request: EnqueueRequest;
  /** When it began, by `performance.now()`. */
  readonly since: number;
  readonly resolve: (answer: Answer | Promise<Answer>) => void;
  readonly reject: (error: unknown) => void;
}

/** The requests of this tick so far, of one queue. */
export class TickBatch {
  readonly #options: TickBatchOptions;
  #flows: NewFlow[] = [];
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(options: TickBatchOptions) {
    this.#options = options;
  }

  /** Stores the plain flow of a request, its only one, with the others of this tick. */
  add(request: EnqueueRequest, flow: NewFlow): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Once what runs now, and all that it has set going, has come to its end.
      if (this.#flows.length === 0) process.nextTick(this.flush);
      this.#flows.push(flow);
      this.#waiting.push({ request, since: performance.now(), resolve, reject });
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
    const { together, alone, answer } = this.#options;
    try {
      const states = await together(flows);
      for (const [place, { request, since, resolve }] of waiting.entries()) {
        resolve(states === undefined ? alone(request, since) : answer(request.flows, states, place));
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
