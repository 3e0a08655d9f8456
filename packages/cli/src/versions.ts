import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

/** The version of a package as `from` (a path; this package itself if left out) sees it. */
export function versionOf(name: string, from?: string): string | undefined {
  const base = from === undefined ? import.meta.url : pathToFileURL(resolve(from)).href;
  try {
    const file =
      name === "@taskq/cli"
        ? new URL("../package.json", import.meta.url)
        : createRequire(base).resolve(`${name}/package.json`);
    const manifest: { readonly version?: string } = JSON.parse(readFileSync(file, "utf8"));
    return manifest.version;
  } catch {
    return undefined;
  }
}
