import type { ValueAnswer, ValueOperation } from "../storage.js";
import type { Engine } from "./engine-types.js";

/** Bytes of a value that goes in a call of its own. */
const LARGE = 16_384;

/** Operations on values: those of one moment go in one call where each would travel by itself, in the order in which they came. */
export class ValuesTogether {
  readonly #engine: Engine;
  /** By the names under which they may be repeated. */
  readonly #asked = new Map<string, readonly ValueOperation[]>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Carries out these in one step, and answers the last. */
  async ask(operations: readonly ValueOperation[]): Promise<ValueAnswer> {
    const { together, time, makeId } = this.#engine;
    const now = time.requestNow();
    const name = makeId(time.now());
    const isLarge = operations.some((one) => "bytes" in one && one.bytes.length > LARGE);
    // What is answered to a change is kept for a while, and is not to hold what others have read.
    const which = isLarge ? name : operations.every(({ kind }) => kind === "get") ? "read" : "changed";
    this.#asked.set(name, operations);
    try {
      return await together.one(`values ${which} ${now}`, name, (names) => this.#send(names, now));
    } finally {
      this.#asked.delete(name);
    }
  }

  async #send(names: readonly string[], now: number | undefined): Promise<readonly ValueAnswer[]> {
    const { name: queue, storage, time, makeId } = this.#engine;
    const [first] = names;
    const operation = first === undefined || names.length > 1 ? makeId(time.now()) : first;
    const asked = names.map((name) => this.#asked.get(name) ?? []);
    const answers = await storage.values({ queue, operation, operations: asked.flat(), now });
    let last = -1;
    return asked.map(({ length }) => answers[(last += length)] ?? { kind: "none" });
  }
}
