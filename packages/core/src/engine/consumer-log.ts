/** What consumers of a queue have to say of its storage and of themselves. */
import type { Logger } from "../vocabulary/logger.js";

export interface ConsumerFacts {
  readonly queue?: string;
  readonly error?: string;
  /** How many it is about. */
  readonly runs?: number;
  readonly outageMs?: number;
}

export type ConsumerLevel = "info" | "warn" | "error";

export type ConsumerListener = (level: ConsumerLevel, message: string, facts: ConsumerFacts) => void;

/** Goes to the queue's logger, and to whoever shows it besides: a queue may have none. */
export class ConsumerLog {
  readonly #logger: Logger;
  readonly #listeners = new Set<ConsumerListener>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  info(facts: ConsumerFacts, message: string): void {
    this.#tell("info", facts, message);
  }

  warn(facts: ConsumerFacts, message: string): void {
    this.#tell("warn", facts, message);
  }

  error(facts: ConsumerFacts, message: string): void {
    this.#tell("error", facts, message);
  }

  on(listener: ConsumerListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #tell(level: ConsumerLevel, facts: ConsumerFacts, message: string): void {
    this.#logger[level](facts, message);
    for (const listener of this.#listeners) listener(level, message, facts);
  }
}
