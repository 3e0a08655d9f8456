import { setImmediate } from "node:timers";

/** Milliseconds for which calls may follow each other without the event loop going round. */
const LONGEST_TURN = 4;
/** Calls between two looks at the time: they may also be one each of many turns. */
const UNTIMED = 16;
/** Rows after which it is looked at. */
const MANY_ROWS = 200;

/**
 * How long the event loop has been at one turn. A call that is answered at the end of what runs now is answered sooner than
 * after the next look for events; but whoever awaits one after the other would then keep all others waiting.
 */
export class LoopTurn {
  #calls = 0;
  #began: number | undefined;
  #wasLong = false;
  #next: Promise<void> | undefined;

  /** Asked before each call. */
  isLong(): boolean {
    this.#calls += 1;
    if (this.#calls >= UNTIMED) this.#look();
    return this.#wasLong || this.#next !== undefined;
  }

  /** A call has written so many rows. */
  wrote(rows: number): void {
    if (rows >= MANY_ROWS) this.#calls = UNTIMED;
  }

  /** Those who wait for it go on in the order in which they came. */
  next(): Promise<void> {
    this.#next ??= this.#untilNext();
    return this.#next;
  }

  #look(): void {
    this.#calls = 0;
    if (this.#began !== undefined) this.#wasLong = performance.now() - this.#began > LONGEST_TURN;
    else {
      this.#began = performance.now();
      setImmediate(this.#end);
    }
  }

  async #untilNext(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    this.#next = undefined;
  }

  readonly #end = (): void => {
    this.#calls = 0;
    this.#began = undefined;
    this.#wasLong = false;
  };
}
