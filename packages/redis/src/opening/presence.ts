import type { QueuePhase } from "@taskq/core/storage";
import { QueueGone } from "./open-again.js";

/** Opening it again makes it anew where it is gone, and goes on behind the last order that is listed. */
function mayHelp(error: unknown): boolean {
  return error instanceof QueueGone || (error instanceof Error && /ID specified in XADD/.test(error.message));
}

/** What this process knows of how a queue, or one partition of it, stands on its server; opens it again where it is gone. */
export class Presence {
  /** The greatest that was told. */
  epoch = 0;
  /** How often it was opened here. */
  timesOpened = 0;
  /** As it was told last; one that has moved is not opened again. */
  #phase: QueuePhase = "open";
  #openAgain: (() => Promise<void>) | undefined;

  constructor(openAgain: (() => Promise<void>) | undefined) {
    this.#openAgain = openAgain;
  }

  /** From an answer, or a refusal. */
  sees({ phase, epoch }: { readonly phase?: unknown; readonly epoch?: unknown }): void {
    if (typeof phase === "string") this.#phase = phase as QueuePhase;
    if (typeof epoch === "number") this.epoch = Math.max(this.epoch, epoch);
  }

  /** It has taken something new. */
  sawOpen(): void {
    this.#phase = "open";
  }

  /**
   * It is to be filled from another storage: where the server has lost it since, with what had come, it is opened anew for that.
   *
   * @param anew also if it had left
   */
  toBeFilled(anew: boolean): void {
    if (anew || this.#phase === "arriving") this.#phase = "open";
  }

  /** It is not opened again. */
  close(): void {
    this.#openAgain = undefined;
  }

  /** Makes a call, and makes it again where the server has lost the queue: then it is opened as it was. */
  async during<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const { timesOpened } = this;
    try {
      return await call();
    } catch (error) {
      await this.openIfGone(error, timesOpened);
      return call();
    }
  }

  /** What is to be waited for before the call is made again; `undefined` where that does not help. */
  opening(error: unknown): Promise<void> | undefined {
    return mayHelp(error) ? this.openIfGone(error, this.timesOpened) : undefined;
  }

  /** After an error of a call, before which it was opened so often. Throws what is any other error. */
  async openIfGone(error: unknown, timesOpened: number): Promise<void> {
    if (!mayHelp(error) || this.#openAgain === undefined || this.#phase !== "open") throw error;
    if (this.timesOpened === timesOpened) await this.#openAgain();
  }
}
