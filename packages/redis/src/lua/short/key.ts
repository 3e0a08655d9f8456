import { script, type Script } from "../../connection/script.js";
import { KEY_NAMES, type KeyName } from "../key-names.js";

/** A declared key, as the short paths name it: they make no table of all. */
export function key(name: KeyName): string {
  return `KEYS[${KEY_NAMES.indexOf(name) + 1}]`;
}

/** A script that declares no key behind this one. */
export function upTo(last: KeyName, name: string, source: string): Script {
  return { ...script(name, source), keys: KEY_NAMES.indexOf(last) + 1 };
}
