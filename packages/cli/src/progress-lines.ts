import { grouped } from "./count-lines.js";

/** Between two lines of progress, in milliseconds. */
const EVERY = 1_000;

/** Says how far something is, about once a second. */
export class ProgressLines {
  readonly #say: (line: string) => void;
  #last = 0;
  #active = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Whenever another number of runs has not ended. */
  waiting(active: number): void {
    if (active === this.#active || active === 0) return;
    const now = performance.now();
    if (this.#active !== 0 && now - this.#last < EVERY) return;
    this.#last = now;
    this.#active = active;
    this.#say(`  waiting for ${active === 1 ? "1 running job" : `${grouped(active)} running jobs`} to end …`);
  }

  /** @param done Such as `copied`. */
  records(done: string, records: number): void {
    const now = performance.now();
    if (this.#last === 0) this.#last = now;
    if (now - this.#last < EVERY) return;
    this.#last = now;
    this.#say(`  ${done} ${grouped(records)} records …`);
  }
}
