/** Flows that are enqueued one by one in the same tick, stored by one call for all of them. */
import {
  nextTick,
  CALL_BYTES,
  type EnqueueAnswer,
  type EnqueueCollision,
  type EnqueueRequest,
  type NewFlow,
  type NewJob,
  type StoredFlow,
} from "@taskq/core/storage";
import type { Receiver } from "./connection/call.js";
import type { Reply } from "./connection/client.js";

/** The most flows of one call, and about the most rows of those that came one by one: while the server stores some, this side makes the next. */
export const BATCH = 128;

/** What one request is told. */
export type Answer = EnqueueAnswer | EnqueueCollision;

/** What is told of flows that were stored together. */
export interface Told {
  /** A byte for the state of each. */
  readonly states: Buffer;
  /** By its place: what was there already. */
  readonly existing: ReadonlyMap<number, StoredFlow> | undefined;
}

/** What stores the flows of a batch. */
export interface FlowStore {
  /** Stores flows together; the receiver is told what the script replied. Throws nothing. `since` is when they came. */
  together(flows: readonly NewFlow[], receiver: Receiver, since: number): void;
  /** Of an error: what is to be waited for before they are stored one by one; `undefined` where that does not help. */
  mending(error: unknown): Promise<void> | undefined;
  /** What the reply tells of so many flows; `undefined` if it stored none of them. */
  told(reply: Reply, count: number): Told | undefined;
  /** Stores one alone, of which another perhaps stood in the way. */
  alone(request: EnqueueRequest, since: number): Promise<Answer>;
  /** Stores one that was alone, and in whose way something stands. */
  otherwise(request: EnqueueRequest, since: number): Promise<Answer>;
  /** What is told of the one at this place. */
  answer(flows: readonly NewFlow[], told: Told, place: number): Answer;
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

  /** Stores the flow of a request, its only one, with the others of this tick. */
  add(request: EnqueueRequest, flow: NewFlow): Promise<Answer> {
    if (this.#underWay === 0 && this.#together === undefined) return this.#alone(request);
    const together = this.#together ?? this.#begin();
    const { told, since } = together;
    const place = together.add(flow);
    const answered = told.then((all) => this.answer(request, all, place, since));
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
    nextTick(this.flush);
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
  ended(reply: Reply, count: number): Told | undefined {
    this.#underWay -= 1;
    return this.#store.told(reply, count);
  }

  failed(cause: unknown, again: () => void, reject: (error: unknown) => void): void {
    this.#underWay -= 1;
    const mending = this.#store.mending(cause);
    if (mending === undefined) reject(cause);
    else mending.then(again, reject);
  }

  answer(
    request: EnqueueRequest,
    told: Told | undefined,
    place: number,
    since: number,
  ): Answer | Promise<Answer> {
    if (told === undefined) return this.#store.alone(request, since);
    return this.#store.answer(request.flows, told, place);
  }

  answerAlone(request: EnqueueRequest, told: Told | undefined, since: number): Answer | Promise<Answer> {
    if (told === undefined) return this.#store.otherwise(request, since);
    return this.#store.answer(request.flows, told, 0);
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
    const told = this.#batch.ended(reply, 1);
    this.#resolve(this.#batch.answerAlone(this.#request, told, this.since));
  }

  reject(error: unknown): void {
    const again = (): void => this.#resolve(this.#batch.answerAlone(this.#request, undefined, this.since));
    this.#batch.failed(error, again, this.#reject);
  }
}

/** One call that stores several. */
class Together implements Receiver {
  readonly flows: NewFlow[] = [];
  readonly since: number = performance.now();
  /** Of all of them: two functions for each, to settle a promise of its own, would take longer than what waits for this one. */
  readonly told: Promise<Told | undefined>;
  readonly #batch: TickBatch;
  #resolve!: (told: Told | undefined) => void;
  #reject!: (error: unknown) => void;
  #rows = 0;
  #bytes = 0;

  constructor(batch: TickBatch) {
    this.#batch = batch;
    this.told = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isFull(): boolean {
    return this.#rows >= BATCH || this.#bytes > CALL_BYTES;
  }

  /** Answers its place. */
  add(flow: NewFlow): number {
    const { jobs, joins } = flow;
    this.#rows += jobs.length + joins.length;
    for (let place = 0; place < jobs.length; place += 1) this.#bytes += (jobs[place] as NewJob).body.length;
    return this.flows.push(flow) - 1;
  }

  resolve(reply: Reply): void {
    this.#resolve(this.#batch.ended(reply, this.flows.length));
  }

  reject(error: unknown): void {
    this.#batch.failed(error, () => this.#resolve(undefined), this.#reject);
  }
}
