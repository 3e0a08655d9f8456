/** Tasks that jobs of the queue name and this process does not have. */
import type { Logger } from "../vocabulary/logger.js";

/** Names that are kept in mind: what is stored may name any number. */
const MOST_NAMES = 1_000;

/** Tells of each once. */
export class UnknownTasks {
  readonly #logger: Logger;
  readonly #told = new Set<string>();
  readonly #listeners = new Set<(task: string) => void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A job of this task was put aside. */
  meet(task: string): void {
    if (this.#told.has(task) || this.#told.size === MOST_NAMES) return;
    this.#told.add(task);
    this.#logger.warn(
      { task },
      "this queue has no task of that name: its jobs wait for a consumer that has it",
    );
    for (const listener of this.#listeners) listener(task);
  }

  on(listener: (task: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
