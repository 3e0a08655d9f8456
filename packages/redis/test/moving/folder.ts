import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterTest } from "../support/closing.js";

/** Below this package, so that modules in it find ours by their names. */
const CACHE = fileURLToPath(new URL("../../.cache", import.meta.url));

/** A folder with these files, that is gone after the test. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "moving-"));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}
