import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { countFile, type FileCount } from "./count-file.js";
import { totalsOf, type Totals } from "./totals.js";

/** Made by tools, not written by people. */
const LEFT_OUT: ReadonlySet<string> = new Set(["node_modules", ".git", "dist", ".cache", ".turbo"]);

/** What is below a folder. */
export interface Found {
  readonly files: readonly string[];
  /** Folders that could not be opened, so that nothing below them is among the files. */
  readonly closed: number;
}

/** Every file below a folder, sorted; links are not followed. */
export async function filesBelow(folder: string): Promise<Found> {
  const files: string[] = [];
  const folders = [folder];
  let closed = 0;
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const entries = await opendir(next).catch(() => undefined);
    if (entries === undefined) {
      closed += 1;
      continue;
    }
    for await (const entry of entries) {
      const path = join(next, entry.name);
      if (entry.isFile()) files.push(path);
      else if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) folders.push(path);
    }
  }
  return { files: files.toSorted(), closed };
}

/** The same count without a queue: one file after the other, in this process. */
export async function countDirectly(files: readonly string[]): Promise<Totals> {
  const counts: (FileCount | undefined)[] = [];
  for (const file of files) counts.push(await countFile(file).catch(() => undefined));
  return totalsOf(counts);
}
