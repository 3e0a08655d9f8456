import type { JobRow } from "./rows.js";

const FEW = 64;

/** Jobs in the order of enqueue, to be paged through. What is removed leaves a hole until there are many. */
export class Listing {
  #rows: JobRow[] = [];
  readonly #removed = new Set<JobRow>();

  add(row: JobRow): void {
    this.#rows.push(row);
  }

  remove(row: JobRow): void {
    this.#removed.add(row);
    if (this.#removed.size < FEW || this.#removed.size * 2 < this.#rows.length) return;
    this.#rows = this.#rows.filter((kept) => !this.#removed.has(kept));
    this.#removed.clear();
  }

  /** Those enqueued after this order number, in order. */
  *after(order: number): Generator<JobRow> {
    for (let index = this.#indexAfter(order); index < this.#rows.length; index += 1) {
      const row = this.#rows[index];
      if (row !== undefined && !this.#removed.has(row)) yield row;
    }
  }

  #indexAfter(order: number): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = this.#rows[middle];
      if (row !== undefined && row.order <= order) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
