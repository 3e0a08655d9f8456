/** The tasks of the workload: one job for each file, and one that adds them up. */
import { group, task, type Outcome } from "@taskq/core";
import { countFile as count, type FileCount } from "./count-file.js";
import { totalsOf } from "./totals.js";

export const countFile = task("count-file", async (path: string) => count(path));

/** The most members of one group here; a folder of more files makes several, in a group of their own. */
const FILES_OF_GROUP = 1_000;
/** Goes on whatever became of its members. */
const SETTLED = { mode: "settled" } as const;

/** A file that cannot be read fails its own job and is counted as such: its group is settled all the same. */
export const total = task("total", async (groups: readonly Outcome<readonly Outcome<FileCount>[]>[]) => {
  const outcomes = groups.flatMap((each) => (each.state === "completed" ? each.value : []));
  return totalsOf(outcomes.map((outcome) => (outcome.state === "completed" ? outcome.value : undefined)));
});

/** Counts so many files, and adds them up. */
export function countAll(files: readonly string[]) {
  const groups = Array.from({ length: Math.ceil(files.length / FILES_OF_GROUP) }, (_, index) => {
    const some = files.slice(index * FILES_OF_GROUP, (index + 1) * FILES_OF_GROUP);
    return group(
      some.map((file) => countFile.job(file)),
      SETTLED,
    );
  });
  return group(groups, SETTLED).pipe(total);
}
