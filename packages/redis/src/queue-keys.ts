import type { Script } from "./connection/script.js";
import { KEY_NAMES } from "./lua/key-names.js";
import { keyBase } from "./names.js";

/** The keys of one partition of a queue, in the order in which every script declares them: all in one hash slot. */
export function keysOf(prefix: string, queue: string, partition = 0): readonly string[] {
  const base = keyBase(prefix, queue, partition);
  return KEY_NAMES.map((name) => `${base}${name}`);
}

/** The keys of one queue, as each script declares them. */
export class QueueKeys {
  readonly #all: readonly string[];
  readonly #cuts = new Map<number, readonly string[]>();

  constructor(prefix: string, queue: string, partition = 0) {
    this.#all = keysOf(prefix, queue, partition);
  }

  of(script: Script): readonly string[] {
    return script.keys === undefined ? this.#all : this.#first(script.keys);
  }

  #first(count: number): readonly string[] {
    let keys = this.#cuts.get(count);
    if (keys === undefined) this.#cuts.set(count, (keys = this.#all.slice(0, count)));
    return keys;
  }
}
