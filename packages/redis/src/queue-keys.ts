import type { Script } from "./connection/script.js";
import { ADD_KEYS, KEY_NAMES, SHORT_READ_KEYS, SHORT_STEP_KEYS } from "./lua/key-names.js";
import { SCRIPTS } from "./lua/scripts.js";
import { keyBase } from "./names.js";

/** The keys of one partition of a queue, in the order in which every script declares them: all in one hash slot. */
export function keysOf(prefix: string, queue: string, partition = 0): readonly string[] {
  const base = keyBase(prefix, queue, partition);
  return KEY_NAMES.map((name) => `${base}${name}`);
}

/** The keys of one queue, as each script declares them. */
export class QueueKeys {
  readonly #all: readonly string[];
  readonly #add: readonly string[];
  readonly #shortStep: readonly string[];
  readonly #shortRead: readonly string[];
  readonly #cuts = new Map<number, readonly string[]>();

  constructor(prefix: string, queue: string, partition = 0) {
    this.#all = keysOf(prefix, queue, partition);
    this.#add = this.#all.slice(0, ADD_KEYS);
    this.#shortStep = this.#all.slice(0, SHORT_STEP_KEYS);
    this.#shortRead = this.#all.slice(0, SHORT_READ_KEYS);
  }

  of(script: Script): readonly string[] {
    if (script.keys !== undefined) return this.#first(script.keys);
    if (script === SCRIPTS.add) return this.#add;
    if (script === SCRIPTS.shortRead) return this.#shortRead;
    return script === SCRIPTS.shortStep ? this.#shortStep : this.#all;
  }

  #first(count: number): readonly string[] {
    let keys = this.#cuts.get(count);
    if (keys === undefined) this.#cuts.set(count, (keys = this.#all.slice(0, count)));
    return keys;
  }
}
