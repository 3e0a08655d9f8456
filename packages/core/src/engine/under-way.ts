/** The calls of an `enqueueMany` that are under way. */
import { CALL_BYTES } from "../storage.js";
import type { Result } from "../vocabulary/result.js";

/** Bytes of messages that may be under way: of two calls that are full. */
const MOST_BYTES = 2 * CALL_BYTES;

interface Call {
  readonly storing: Promise<readonly Result[]>;
  readonly bytes: number;
}

export class UnderWay {
  /** Of the calls that are over, in the order in which they were made. */
  readonly #results: Result[] = [];
  readonly #mostCalls: number;
  readonly #calls: Call[] = [];
  #bytes = 0;

  constructor(mostCalls: number) {
    this.#mostCalls = mostCalls;
  }

  /** Resolves once there is room for another one. */
  async add(storing: Promise<readonly Result[]>, bytes: number): Promise<void> {
    // Looked at in turn; until then nobody else hears that it failed.
    storing.catch(() => {});
    this.#calls.push({ storing, bytes });
    this.#bytes += bytes;
    while (this.#calls.length >= this.#mostCalls || this.#bytes >= MOST_BYTES) await this.#takeFirst();
  }

  async all(): Promise<Result[]> {
    while (this.#calls.length > 0) await this.#takeFirst();
    return this.#results;
  }

  /** Once none is under way any more, however they end. */
  async over(): Promise<void> {
    await Promise.allSettled(this.#calls.map(({ storing }) => storing));
  }

  async #takeFirst(): Promise<void> {
    const first = this.#calls.shift();
    if (first === undefined) return;
    this.#bytes -= first.bytes;
    for (const result of await first.storing) this.#results.push(result);
  }
}
