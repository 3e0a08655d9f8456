/** More are not remembered: what is forgotten takes a longer way, and no more. */
const MOST = 20_000;

/** Ids of runs on which something hangs: a key, what follows, a retention of its own. */
export class HangingRuns {
  readonly #ids = new Set<string>();

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  add(id: string): void {
    // Runs that others ended are never settled here.
    if (this.#ids.size >= MOST) this.#ids.clear();
    this.#ids.add(id);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }
}
