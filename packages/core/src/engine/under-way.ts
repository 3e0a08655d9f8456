/** The calls of an `enqueueMany` that are under way. */
import { CALL_BYTES } from "../storage.js";
import type { Result } from "../vocabulary/result.js";

/** Milliseconds that a call takes at most where two that are full may be under way: over a slow network they would be each other's delay. */
const QUICK = 500;

interface Call {
  readonly storing: Promise<readonly Result[]>;
  readonly bytes: number;
  readonly since: number;
}

export class UnderWay {
  /** Of the calls that are over, in the order in which they were made. */
  readonly #results: Result[] = [];
  readonly #mostCalls: number;
  readonly #calls: Call[] = [];
  #bytes = 0;
  /** Bytes of messages that may be under way. */
  #mostBytes = CALL_BYTES;

  constructor(mostCalls: number) {
    this.#mostCalls = mostCalls;
  }

  /** Resolves once there is room for another one. */
  async add(storing: Promise<readonly Result[]>, bytes: number): Promise<void> {
    // Looked at in turn; until then nobody else hears that it failed.
    storing.catch(() => {});
    this.#calls.push({ storing, bytes, since: performance.now() });
    this.#bytes += bytes;
    while (this.#calls.length >= this.#mostCalls || this.#bytes >= this.#mostBytes) await this.#takeFirst();
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
    this.#mostBytes = performance.now() - first.since < QUICK ? 2 * CALL_BYTES : CALL_BYTES;
  }
}
