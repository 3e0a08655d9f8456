/** Containers can have a single file mounted: then it is shared, and kept, and what SQLite keeps beside it is neither. */
import { readFileSync } from "node:fs";

/** What is mounted for this process, on Linux; elsewhere nothing is told. */
const MOUNTS = "/proc/self/mountinfo";

/** Whether a file is mounted by itself, and not with its folder. */
export function isLoneMount(path: string, mounts: string = readMounts()): boolean {
  return mounts.split("\n").some((line) => placeOf(line) === path);
}

function readMounts(): string {
  try {
    return readFileSync(MOUNTS, "utf8");
  } catch {
    return "";
  }
}

/** The fifth field, in which blanks and the like are octal numbers (proc_pid_mountinfo(5)). */
function placeOf(line: string): string {
  const [, , , , place = ""] = line.split(" ");
  return place.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
