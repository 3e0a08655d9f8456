import type { TaskqError } from "@taskq/core/storage";

/** Between two looks at the calls that are under way, in milliseconds: each settles so much early at most. */
const PRECISION = 40;
/** A look that comes so much later says that the process did not get to read what came meanwhile. */
const LATE = 50;
/** For reading that. */
const READING = 15;

/** A call, as far as its time is concerned. */
export interface Timed {
  /** Ends it if its time is over. */
  look(now: number, precision: number): void;
  reject(error: TaskqError): void;
}

/**
 * Looks after the time of all calls with one timer: a timer for each would cost more than sending it.
 *
 * It runs while calls are under way.
 */
export class Deadlines {
  readonly #calls = new Set<Timed>();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #wasLate = false;

  add(call: Timed): void {
    this.#calls.add(call);
    if (this.#timer === undefined) this.#schedule(PRECISION);
  }

  delete(call: Timed): void {
    this.#calls.delete(call);
  }

  /** Rejects every call that is under way. */
  rejectAll(error: () => TaskqError): void {
    for (const call of this.#calls) call.reject(error());
  }

  #schedule(pause: number): void {
    this.#dueAt = performance.now() + pause;
    // what is waited for, a socket or another attempt to connect, keeps the process alive
    this.#timer = setTimeout(() => this.#look(), pause).unref();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#calls.size === 0) return;
    const now = performance.now();
    if (now - this.#dueAt > LATE && !this.#wasLate) {
      this.#wasLate = true;
      this.#schedule(READING);
      return;
    }
    this.#wasLate = false;
    for (const call of this.#calls) call.look(now, PRECISION);
    this.#schedule(PRECISION);
  }
}
