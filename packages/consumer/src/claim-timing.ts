import type { EngineTime } from "@taskq/core/engine";
import type { ClaimRequest, StepAnswer } from "@taskq/core/storage";
import { isFilled } from "./step-exchange.js";

/** How often a queue is looked at of which nothing was heard, in milliseconds. */
const SAFETY_POLL = 1_000;
/** The soonest look for a job that is said to be due, in milliseconds. */
const DUE_PAUSE = 1;

/** When to ask for jobs: while there may be some, and then no more until something is heard or due. */
export class ClaimTiming {
  readonly #time: EngineTime;
  #wanted = true;
  #heard = false;
  #nextDue: number | undefined;
  #claimedAt = -Infinity;

  constructor(time: EngineTime) {
    this.#time = time;
  }

  /** Whether there may be jobs to claim. */
  get isWanted(): boolean {
    return this.#wanted;
  }

  /** When the next job becomes due, by the queue's clock, if it must be waited for. */
  get nextDue(): number | undefined {
    return this.#wanted ? undefined : this.#nextDue;
  }

  /** When to look although nothing was heard, in milliseconds of `performance.now()`. */
  get nextLook(): number {
    return this.#wanted ? Infinity : this.#claimedAt + SAFETY_POLL;
  }

  /** There may be something to claim. */
  hear(): void {
    this.#heard = true;
    this.#wanted = true;
  }

  /** Something may have become due by now. */
  look(now: number): void {
    if (this.#nextDue !== undefined && this.#time.now() >= this.#nextDue) this.#wanted = true;
    if (now - this.#claimedAt >= SAFETY_POLL) this.#wanted = true;
  }

  /** A request is on its way: what is heard from now on, it may not have seen. */
  asking(): void {
    this.#heard = false;
  }

  /** What an answer says about work that is left. */
  learn(claim: ClaimRequest | undefined, answer: StepAnswer): void {
    const { more, nextDue } = answer;
    // What is due and yet was not handed out is not asked for again at once.
    this.#nextDue = nextDue === undefined ? undefined : Math.max(nextDue, this.#time.now() + DUE_PAUSE);
    if (claim === undefined) {
      if (more) this.#wanted = true;
      return;
    }
    this.#wanted = more || this.#heard || isFilled(claim, answer);
    this.#claimedAt = performance.now();
  }
}
