import type { ClaimRequest, StepAnswer } from "@taskq/core/storage";
import { askedBy, handedOut } from "./step-exchange.js";

/** Where nothing is handed out ahead, only one of so many claims asks for it. */
const SELDOM = 8;

/** Whether jobs are handed out ahead at all: those with locks and limits are not, which a storage has to find out anew with each claim. */
export class Ahead {
  #isNone = false;
  #claims = 0;

  /** How many to ask for of those that there is room for. */
  of(held: number): number {
    if (!this.#isNone) return held;
    this.#claims += 1;
    return this.#claims % SELDOM === 0 ? held : 0;
  }

  learn({ begin, ahead }: ClaimRequest, answer: StepAnswer): void {
    if (ahead === 0 || !answer.more) return;
    const count = handedOut(answer);
    if (count >= begin) this.#isNone = count === begin && answer.passedOver !== false;
  }

  /** Whether all that was asked for was handed out, as far as it ever is, and there is more. */
  goesOn(claim: ClaimRequest, answer: StepAnswer): boolean {
    return answer.more && handedOut(answer) >= (this.#isNone ? claim.begin : askedBy(claim));
  }
}
