/** The runs that the calls of one runner have under way. Each executes whatever is due, jobs of the others too. */
import type { Run } from "./run.js";

export class RunsUnderWay {
  readonly #runs = new Set<Run>();
  /** Ids of the jobs that each call waits for. */
  readonly #awaited = new Set<Set<string>>();
  readonly #waiting: (() => void)[] = [];

  [Symbol.iterator](): IterableIterator<Run> {
    return this.#runs.values();
  }

  begin(run: Run): void {
    this.#runs.add(run);
  }

  /** @param followers ids of the jobs that became ready through it: whoever waits for it waits for them, too */
  end(run: Run, followers: readonly string[]): void {
    this.#runs.delete(run);
    for (const ids of this.#awaited) {
      if (ids.has(run.id)) for (const id of followers) ids.add(id);
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /**
   * Executes with `work` until none of these jobs is under way any more. A handler that waits for what it enqueued waits
   * for nothing that began before, so that no two of them wait for each other.
   */
  async whileUnderWay(jobs: Iterable<string>, work: () => Promise<unknown>): Promise<void> {
    const ids = new Set(jobs);
    this.#awaited.add(ids);
    try {
      do await work();
      while (await this.#ended(ids));
    } finally {
      this.#awaited.delete(ids);
    }
  }

  /** Resolves when none of them is under way; `false`: none was. */
  async #ended(ids: ReadonlySet<string>): Promise<boolean> {
    let waited = false;
    while ([...this.#runs].some(({ id }) => ids.has(id))) {
      waited = true;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return waited;
  }
}
