import type { StoredCounts, StoredState } from "@taskq/core/storage";

type MutableCounts = Record<StoredState, number>;

/** Jobs by task and state, kept up to date with every move. */
export class StateCounts {
  readonly #tasks = new Map<string, MutableCounts>();

  add(task: string, state: StoredState): void {
    let counts = this.#tasks.get(task);
    if (counts === undefined) this.#tasks.set(task, (counts = noCounts()));
    counts[state] += 1;
  }

  move(task: string, from: StoredState, to: StoredState): void {
    const counts = this.#tasks.get(task);
    if (counts === undefined) return;
    counts[from] -= 1;
    counts[to] += 1;
  }

  remove(task: string, state: StoredState): void {
    const counts = this.#tasks.get(task);
    if (counts === undefined) return;
    counts[state] -= 1;
    if (Object.values(counts).every((count) => count === 0)) this.#tasks.delete(task);
  }

  total(): StoredCounts {
    const sum = noCounts();
    for (const counts of this.#tasks.values()) {
      for (const state of STATES) sum[state] += counts[state];
    }
    return sum;
  }

  byTask(): Record<string, StoredCounts> {
    return Object.fromEntries([...this.#tasks].map(([task, counts]) => [task, { ...counts }]));
  }
}

function noCounts(): MutableCounts {
  return {
    blocked: 0,
    scheduled: 0,
    ready: 0,
    parked: 0,
    active: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    expired: 0,
    skipped: 0,
    quarantined: 0,
  };
}

const STATES = Object.keys(noCounts()) as readonly StoredState[];
