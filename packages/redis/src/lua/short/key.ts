import { KEY_NAMES, type KeyName } from "../key-names.js";

/** A declared key, as the short paths name it: they make no table of all. */
export function key(name: KeyName): string {
  return `KEYS[${KEY_NAMES.indexOf(name) + 1}]`;
}
