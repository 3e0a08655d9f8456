/** The keys of one queue: all in one hash slot, and the same for every script. */
import { KEY_NAMES, type KeyName } from "./lua/key-names.js";

/** In the order of `KEY_NAMES`. The queue's name is the hash tag. */
export function keysOf(prefix: string, queue: string): readonly string[] {
  return KEY_NAMES.map((name) => keyOf(prefix, queue, name));
}

export function keyOf(prefix: string, queue: string, name: KeyName): string {
  return `${prefix}:{${queue}}:${name}`;
}
