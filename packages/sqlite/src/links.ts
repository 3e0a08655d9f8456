import { existsSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Links that are followed one after the other; in a circle there are more. As Linux has it. */
const MOST_LINKS = 40;

/** The file that links on the way to it lead to, which need not be there yet: SQLite keeps its log beside that one. */
export function behindLinks(path: string, left: number = MOST_LINKS): string {
  if (existsSync(path)) return realpathSync(path);
  const folder = dirname(path);
  if (!existsSync(folder)) return path;
  const place = join(realpathSync(folder), basename(path));
  const target = targetOf(place);
  return target === undefined || left === 0 ? place : behindLinks(resolve(dirname(place), target), left - 1);
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // It is no link.
    return undefined;
  }
}
