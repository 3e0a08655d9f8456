import type { TaskqError } from "@taskq/core/storage";

/** Between two looks at the calls that are under way, in milliseconds: each settles so much early at most. */
const PRECISION = 40;
/** A look that comes so much later says that the process did not get to read what came meanwhile. */
const LATE = 50;
/** For reading that. */
const READING = 15;

/** A call, as far as its time is concerned. */
export interface Timed {
  /** Where it is among those under way; written by `Deadlines` alone. */
  place: number;
  /** Ends it if its time is over. */
  look(now: number, precision: number): void;
  reject(error: TaskqError): void;
}

/**
 * Looks after the time of all calls with one timer: a timer for each would cost more than sending it.
 *
 * It runs while calls are under way, and keeps the process alive as long: connections do not.
 */
export class Deadlines {
  /** In no order. A set would keep what has ended alive until a full collection: decisions/short-lived-objects.md. */
  readonly #calls: Timed[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #wasLate = false;
  #ended: ((call: Timed) => void) | undefined;

  add(call: Timed): void {
    call.place = this.#calls.length;
    this.#calls.push(call);
    if (this.#timer === undefined) this.#schedule(PRECISION);
  }

  delete(call: Timed): void {
    if (this.#ended !== undefined) this.#ended(call);
    if (this.#calls[call.place] !== call) return;
    const last = this.#calls.pop();
    if (last === undefined || last === call) return;
    this.#calls[call.place] = last;
    last.place = call.place;
  }

  /** Resolves once each call that is under way now has ended. Asked once. */
  whenEnded(): Promise<void> {
    const left = new Set(this.#calls);
    if (left.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#ended = (call) => {
        if (left.delete(call) && left.size === 0) resolve();
      };
    });
  }

  /** Rejects every call that is under way. */
  rejectAll(error: () => TaskqError): void {
    for (const call of this.#calls.slice()) call.reject(error());
  }

  #schedule(pause: number): void {
    this.#dueAt = performance.now() + pause;
    this.#timer = setTimeout(() => this.#look(), pause);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#calls.length === 0) return;
    const now = performance.now();
    if (now - this.#dueAt > LATE && !this.#wasLate) {
      this.#wasLate = true;
      this.#schedule(READING);
      return;
    }
    this.#wasLate = false;
    for (const call of this.#calls.slice()) call.look(now, PRECISION);
    this.#schedule(PRECISION);
  }
}
