/** Final jobs, the oldest first. */
import type { JobRow } from "./rows.js";

export class FinalJobs {
  /** In the order they ended. */
  readonly #jobs = new Set<JobRow>();
  /** Some that were put aside for a while: most are older than the others. */
  #returned = new Set<JobRow>();
  #isSorted = true;

  get size(): number {
    return this.#jobs.size + this.#returned.size;
  }

  /** One that has just ended. */
  add(row: JobRow): void {
    this.#jobs.add(row);
  }

  /** One that was put aside. */
  giveBack(row: JobRow): void {
    this.#returned.add(row);
    this.#isSorted = false;
  }

  delete(row: JobRow): boolean {
    return this.#jobs.delete(row) || this.#returned.delete(row);
  }

  /** In the order they ended; they may be deleted meanwhile. */
  *[Symbol.iterator](): Generator<JobRow> {
    if (!this.#isSorted) {
      this.#returned = new Set([...this.#returned].toSorted((left, right) => endOf(left) - endOf(right)));
      this.#isSorted = true;
    }
    const returned = this.#returned.values();
    let next = returned.next();
    for (const row of this.#jobs) {
      for (; next.done !== true && endOf(next.value) <= endOf(row); next = returned.next()) yield next.value;
      yield row;
    }
    for (; next.done !== true; next = returned.next()) yield next.value;
  }
}

function endOf({ finishedAt = 0 }: JobRow): number {
  return finishedAt;
}
