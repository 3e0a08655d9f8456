import { countedAs, type MoveCounts, type MovedRecord } from "@taskq/core/storage";

/** Counts records as the two sides of a move do. */
export class CountedRecords {
  readonly #counts = new Map<string, number>();
  #count = 0;

  /** All of them. */
  get count(): number {
    return this.#count;
  }

  /** By the names that moves have for them. */
  get counts(): MoveCounts {
    return Object.fromEntries(this.#counts);
  }

  add(record: MovedRecord): void {
    this.#count += 1;
    // Whose turn comes next is found out anew.
    if (record.kind === "edge" && record.on === "turn") return;
    const name = record.kind === "job" ? countedAs(record.state) : record.kind;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Such as `12 job waiting where there are 11`; `undefined`: they are the same. */
  differsFrom(expected: MoveCounts): string | undefined {
    const names = new Set([...Object.keys(expected), ...this.#counts.keys()]);
    const different = [...names]
      .filter((name) => (expected[name] ?? 0) !== (this.#counts.get(name) ?? 0))
      .map((name) => `${expected[name] ?? 0} ${name} where there are ${this.#counts.get(name) ?? 0}`);
    return different.length === 0 ? undefined : different.join(", ");
  }
}
