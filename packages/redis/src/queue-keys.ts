import { KEY_NAMES } from "./lua/key-names.js";
import { keyBase } from "./names.js";

/** The keys of one queue, in the order in which every script declares them: all in one hash slot. */
export function keysOf(prefix: string, queue: string): readonly string[] {
  const base = keyBase(prefix, queue);
  return KEY_NAMES.map((name) => `${base}${name}`);
}
