/** New entries after which an index begins anew, at least. */
const FEWEST = 512;

/**
 * A map whose entries come and go. A `Map` makes itself a new table after so many deletions, and each table points to
 * the one after it: once the collector takes one of them for old, everything that is entered from then on survives until
 * a full collection. So this one begins a new `Map` from time to time, and forgets the one before.
 */
export class YoungMap<Key, Value> {
  #entered = 0;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: Key, value: Value): void {
    if (this.#entered >= FEWEST && this.#entered >= 2 * this.size) this.#age();
    if (this.#old.size > 0) this.#old.delete(key);
    this.#young.set(key, value);
    this.#entered += 1;
  }

  delete(key: Key): void {
    if (!this.#young.delete(key)) this.#old.delete(key);
  }

  values(): Value[] {
    return [...this.#old.values(), ...this.#young.values()];
  }

  /** What stayed through a whole age is entered again: that is little, or all of this would not be needed. */
  #age(): void {
    const stayed = this.#old;
    this.#old = this.#young;
    this.#young = new Map(stayed);
    this.#entered = 0;
  }
}
