/** Plain jobs that are enqueued one by one in the same tick, stored by one call for all of them. */
import type { EnqueueAnswer, EnqueueCollision, EnqueueRequest, NewFlow } from "@taskq/core/storage";
import type { Receiver } from "./connection/call.js";
import type { Reply } from "./connection/client.js";

/** The most flows of one call: while the server stores some, this side makes the next. */
export const BATCH = 128;
/** The most bytes of those that came one by one. */
const MOST_BYTES = 1_048_576;

type Answer = EnqueueAnswer | EnqueueCollision;

/** What stores the plain flows of a batch. */
export interface FlowStore {
  /** Stores flows together; the receiver is told what the script replied. Throws nothing. `since` is when they came. */
  together(flows: readonly NewFlow[], receiver: Receiver, since: number): void;
  /** What the reply tells of so many flows, a byte for the state of each; `undefined` if it stored none of them. */
  states(reply: Reply, count: number): Buffer | undefined;
  /** Stores one alone, of which another perhaps stood in the way. */
  alone(request: EnqueueRequest, since: number): Promise<Answer>;
  /** What is told of one that was stored in the state at this place. */
  answer(flows: readonly NewFlow[], states: Buffer, place: number): Answer;
}

/**
 * The requests of this tick so far, of one queue. One that comes while none is under way is sent at once: who stores one job after
 * the other waits for no tick to end.
 */
export class TickBatch {
  readonly #store: FlowStore;
  /** Calls that were sent and not answered. */
  #underWay = 0;
  #together: Together | undefined;

  constructor(store: FlowStore) {
    this.#store = store;
  }

  /** Stores the plain flow of a request, its only one, with the others of this tick. */
  add(request: EnqueueRequest, flow: NewFlow): Promise<Answer> {
    if (this.#underWay === 0 && this.#together === undefined) return this.#alone(request);
    const together = this.#together ?? this.#begin();
    const { states, since } = together;
    const place = together.add(flow);
    const answered = states.then((told) => this.answer(request, told, place, since));
    if (together.isFull) this.flush();
    return answered;
  }

  #alone(request: EnqueueRequest): Promise<Answer> {
    this.#underWay += 1;
    return new Promise((resolve, reject) => {
      const alone = new Alone(this, request, resolve, reject);
      this.#store.together(request.flows, alone, alone.since);
    });
  }

  #begin(): Together {
    // Once what runs now, and all that it has set going, has come to its end.
    process.nextTick(this.flush);
    return (this.#together = new Together(this));
  }

  /** Sends what is there. */
  readonly flush = (): void => {
    const together = this.#together;
    if (together === undefined) return;
    this.#together = undefined;
    this.#underWay += 1;
    this.#store.together(together.flows, together, together.since);
  };

  /** One was answered: what is told of so many flows. */
  ended(reply: Reply, count: number): Buffer | undefined {
    this.#underWay -= 1;
    return this.#store.states(reply, count);
  }

  failed(): void {
    this.#underWay -= 1;
  }

  answer(
    request: EnqueueRequest,
    states: Buffer | undefined,
    place: number,
    since: number,
  ): Answer | Promise<Answer> {
    if (states === undefined) return this.#store.alone(request, since);
    return this.#store.answer(request.flows, states, place);
  }
}

/** One call that stores one job. */
class Alone implements Receiver {
  readonly since: number = performance.now();
  readonly #batch: TickBatch;
  readonly #request: EnqueueRequest;
  readonly #resolve: (answer: Answer | Promise<Answer>) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    batch: TickBatch,
    request: EnqueueRequest,
    resolve: (answer: Answer | Promise<Answer>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#batch = batch;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(reply: Reply): void {
    const states = this.#batch.ended(reply, 1);
    this.#resolve(this.#batch.answer(this.#request, states, 0, this.since));
  }

  reject(error: unknown): void {
    this.#batch.failed();
    this.#reject(error);
  }
}

/** One call that stores several. */
class Together implements Receiver {
  readonly flows: NewFlow[] = [];
  readonly since: number = performance.now();
  /** Of all of them: two functions for each, to settle a promise of its own, would take longer than what waits for this one. */
  readonly states: Promise<Buffer | undefined>;
  readonly #batch: TickBatch;
  #resolve!: (states: Buffer | undefined) => void;
  #reject!: (error: unknown) => void;
  #bytes = 0;

  constructor(batch: TickBatch) {
    this.#batch = batch;
    this.states = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isFull(): boolean {
    return this.flows.length === BATCH || this.#bytes > MOST_BYTES;
  }

  /** Answers its place. */
  add(flow: NewFlow): number {
    this.#bytes += flow.jobs[0]?.body.length ?? 0;
    return this.flows.push(flow) - 1;
  }

  resolve(reply: Reply): void {
    this.#resolve(this.#batch.ended(reply, this.flows.length));
  }

  reject(error: unknown): void {
    this.#batch.failed();
    this.#reject(error);
  }
}
