interface Entry<Value> {
  readonly value: Value;
  readonly until: number;
}

const FIRST_SWEEP = 1024;

/** A map whose entries are gone from an instant on. It sweeps itself as it grows, so that it stays bounded. */
export class ExpiringMap<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  #sweepAt = FIRST_SWEEP;

  /** Those not swept yet among them. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param until Instant from which it is gone; `Infinity`: never. */
  set(key: string, value: Value, until: number, now: number): void {
    if (this.#entries.size >= this.#sweepAt) this.#sweep(now);
    this.#entries.set(key, { value, until });
  }

  get(key: string, now: number): Value | undefined {
    return this.#entry(key, now)?.value;
  }

  /** The instant from which it is gone. */
  until(key: string, now: number): number | undefined {
    return this.#entry(key, now)?.until;
  }

  /** Whether it was there. */
  delete(key: string, now: number): boolean {
    const there = this.#entry(key, now) !== undefined;
    this.#entries.delete(key);
    return there;
  }

  /** All that is there, what is over and not swept yet too. */
  entries(): IterableIterator<[string, Entry<Value>]> {
    return this.#entries.entries();
  }

  clear(): void {
    this.#entries.clear();
    this.#sweepAt = FIRST_SWEEP;
  }

  #entry(key: string, now: number): Entry<Value> | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.until <= now ? undefined : entry;
  }

  #sweep(now: number): void {
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#entries.size * 2);
  }
}
