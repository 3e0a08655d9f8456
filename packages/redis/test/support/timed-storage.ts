/** A storage that notes how long each of its calls takes, and which of them never settles. */
import type { Storage } from "@taskq/core";

/** What was noted, of as many storages as share it. */
export class CallTimes {
  /** Calls that were made. */
  calls = 0;
  /** The longest of those that settled, in milliseconds. */
  longest = 0;
  #pending = 0;

  /** Calls that have not settled. */
  get pending(): number {
    return this.#pending;
  }

  async time<Answer>(call: () => PromiseLike<Answer>): Promise<Answer> {
    const begun = performance.now();
    this.calls += 1;
    this.#pending += 1;
    try {
      return await call();
    } finally {
      this.#pending -= 1;
      this.longest = Math.max(this.longest, performance.now() - begun);
    }
  }
}

/** The storage, with its calls noted in `times`. */
export function timedStorage(storage: Storage, times: CallTimes): Storage {
  return new Proxy(storage, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...given: readonly unknown[]) => unknown;
      return (...given: readonly unknown[]): unknown => {
        const answer = method(...given);
        // what answers at once, as `watch` does, has no way to hang
        return answer instanceof Promise ? times.time(() => answer) : answer;
      };
    },
  });
}
