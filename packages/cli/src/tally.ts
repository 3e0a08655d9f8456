const types = ["completed", "failed", "retrying", "interrupted"] as const;
type Counted = (typeof types)[number];

/** How many runs of this process ended how. */
export class Tally {
  static readonly types: readonly Counted[] = types;
  readonly #counts: Record<Counted, number> = { completed: 0, failed: 0, retrying: 0, interrupted: 0 };

  count(type: Counted): void {
    this.#counts[type] += 1;
  }

  /** Such as `12 completed, 1 failed, 2 retried`; what never happened is left out, completed never. */
  text(): string {
    const { completed, failed, retrying, interrupted } = this.#counts;
    const rest = [
      [failed, "failed"],
      [retrying, "retried"],
      [interrupted, "interrupted"],
    ] as const;
    const parts = rest
      .filter(([count]) => count > 0)
      .map(([count, word]) => `${count.toLocaleString("en")} ${word}`);
    return [`${completed.toLocaleString("en")} completed`, ...parts].join(", ");
  }
}
