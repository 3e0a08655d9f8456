/** What a consumer tells a storage, and is told, in steps: each is repeated word for word until it is answered. */
import { reportEffects, reportSettled, type Engine } from "@taskq/core/engine";
import type {
  ClaimRequest,
  RunReference,
  SettledOutcome,
  Settlement,
  StepAnswer,
  StepRequest,
} from "@taskq/core/storage";
import type { HeldRun } from "./held-run.js";
import type { HeldRuns } from "./held-runs.js";
import type { Outage } from "./outage.js";
import { stampNow, type Stamp } from "./stamp.js";

const RELEASED: SettledOutcome = { kind: "released" };

interface Sent {
  readonly request: StepRequest;
  readonly ended: readonly HeldRun[];
  /** Of the first attempt: a repeated claim may have been made then. */
  readonly stamp: Stamp;
}

/** An answer, with the moment from which its leases count. */
export interface Exchanged {
  readonly answer: StepAnswer;
  readonly claim: ClaimRequest | undefined;
  readonly ended: readonly HeldRun[];
  readonly stamp: Stamp;
  /** Whether most of the time went by without this process: the storage works elsewhere. */
  readonly elsewhere: boolean;
}

export class StepExchange {
  readonly #engine: Engine;
  readonly #owner: string;
  readonly #runs: HeldRuns;
  readonly #outage: Outage;
  #number = 0;
  #settlements: Settlement[] = [];
  #ended: HeldRun[] = [];
  #sent: Sent | undefined;

  constructor(engine: Engine, owner: string, runs: HeldRuns, outage: Outage) {
    this.#engine = engine;
    this.#owner = owner;
    this.#runs = runs;
    this.#outage = outage;
  }

  /** Whether everything that has ended is settled, and every request answered. */
  get empty(): boolean {
    return this.#ended.length === 0 && this.#sent === undefined;
  }

  /** Whether a request was not answered: the next one repeats it. */
  get repeats(): boolean {
    return this.#sent !== undefined;
  }

  /** To be settled with the next step: as it finished, or, unbegun, as released. */
  add(held: HeldRun): void {
    held.state = "ended";
    this.#ended.push(held);
    this.#settlements.push(held.finished?.settlement ?? this.#release(held));
  }

  /** Sends what is there; `undefined` if the storage is away, and the same is sent again. */
  async send(
    claim: ClaimRequest | undefined,
    begun: readonly RunReference[],
  ): Promise<Exchanged | undefined> {
    const sent = (this.#sent ??= this.#compose(claim, begun));
    const { storage } = this.#engine;
    const began = performance.now();
    const asking = this.#outage.ask(() => storage.step(sent.request));
    const asked = performance.now();
    const answer = await asking;
    if (answer === undefined) return undefined;
    const elsewhere = performance.now() - asked > asked - began;
    this.#sent = undefined;
    const { request, ended, stamp } = sent;
    return { answer, claim: request.claim, ended, stamp, elsewhere };
  }

  /** Takes what an answer says of what had ended. */
  take({ answer, ended }: Exchanged): void {
    this.#settle(ended, answer);
    reportEffects(this.#engine, answer.effects);
  }

  /** The last one: what the storage has gathered in memory, it may write now. */
  async end(): Promise<void> {
    if (!this.empty) return;
    await this.#engine.storage.step({ ...this.#compose(undefined, []).request, last: true });
  }

  /** Gives up asking for jobs by a request that was refused for it; what was to be settled is kept. */
  withdraw(): void {
    const sent = this.#sent;
    if (sent === undefined) return;
    this.#sent = undefined;
    this.#settlements = [...sent.request.settled, ...this.#settlements];
    this.#ended = [...sent.ended, ...this.#ended];
  }

  #compose(claim: ClaimRequest | undefined, begun: readonly RunReference[]): Sent {
    const { name, taskNames, time } = this.#engine;
    const settled = this.#settlements;
    const ended = this.#ended;
    this.#settlements = [];
    this.#ended = [];
    this.#number += 1;
    const request: StepRequest = {
      queue: name,
      owner: this.#owner,
      request: this.#number,
      tasks: taskNames,
      settled,
      begun,
      claim,
      now: time.requestNow(),
    };
    return { request, ended, stamp: stampNow() };
  }

  #settle(ended: readonly HeldRun[], answer: StepAnswer): void {
    for (const [index, held] of ended.entries()) {
      this.#runs.remove(held);
      const { finished } = held;
      if (finished === undefined) continue;
      const settled = answer.settled[index] ?? "lost";
      // The fence is ours alone: what was done before was done by this request, whose answer got lost.
      reportSettled(finished, settled === "repeated" ? "applied" : settled);
    }
  }

  #release({ claimed: { id, fence } }: HeldRun): Settlement {
    return { id, fence, startedAt: this.#engine.time.now(), outcome: RELEASED, add: undefined };
  }
}
