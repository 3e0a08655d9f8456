import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

/** The file that a package is loaded from by a module at this path, or else by this package; `undefined`: it is not installed. */
export function resolvedFrom(name: string, module: string): string | undefined {
  return resolved(name, pathToFileURL(resolve(module)).href) ?? resolved(name, import.meta.url);
}

function resolved(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
}
