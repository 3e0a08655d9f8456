/** The tasks of the workload: one job for each file, and one that adds them up. */
import { task, type Outcome } from "@taskq/core";
import { countFile as count, type FileCount } from "./count-file.js";
import { totalsOf } from "./totals.js";

export const countFile = task("count-file", async (path: string) => count(path));

/** A file that cannot be read fails its own job and is counted as such: the group is settled all the same. */
export const total = task("total", async (outcomes: readonly Outcome<FileCount>[]) =>
  totalsOf(outcomes.map((outcome) => (outcome.state === "completed" ? outcome.value : undefined))),
);
