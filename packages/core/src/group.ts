import { compositionOf, isJob } from "./composition.js";
import { jobOf } from "./job.js";
import { oneOf, refuseUnknown, unexpected } from "./options.js";
import { TaskqError } from "./errors.js";
import type { Outcome } from "./vocabulary/introspection.js";
import type { Job, NamesOf, Yield } from "./vocabulary/task-and-job.js";

/** The most members of one group: a group is stored whole, in one step. */
const LARGEST_GROUP = 10_000;

type GroupOutput<Jobs extends readonly Job[], Mode> = {
  -readonly [Index in keyof Jobs]: Mode extends "settled" ? Outcome<Yield<Jobs[Index]>> : Yield<Jobs[Index]>;
};

/**
 * Jobs side by side; the output is theirs, in the order given. A group piped into a task is a chord.
 * At most 10 000 members, which may be pipelines and groups; `group([])` completes at once with `[]`. At most 500 groups inside
 * each other: more are refused where they are enqueued.
 *
 * `all`: fails when a member does not complete. `settled`: always goes on, and yields outcomes. @default 'all'
 *
 * @throws `TASKQ_OPTION` for a member that is no job, too many of them, an unknown mode
 * @example
 * await queue.enqueue(group(urls.map((url) => fetchPage.job({ url }))).pipe(aggregate));
 */
export function group<const Jobs extends readonly Job[], Mode extends "all" | "settled" = "all">(
  jobs: Jobs,
  options?: { readonly mode?: Mode },
): Job<GroupOutput<Jobs, Mode>, NamesOf<Jobs[number]>>;
export function group(jobs: readonly Job[], options: { readonly mode?: string } = {}): Job {
  const members = checkedMembers(jobs);
  refuseUnknown(options, ["mode"], "group");
  const { mode: asked = "all" } = options;
  const mode = oneOf(asked, ["all", "settled"], "group mode");
  const names = new Set(members.flatMap(({ tasks }) => tasks));
  return jobOf(
    { kind: "group", members: Object.freeze(members.map((member) => compositionOf(member))), mode },
    Object.freeze([...names]),
  );
}

function checkedMembers(jobs: readonly unknown[]): readonly Job[] {
  if (!Array.isArray(jobs)) throw unexpected("group", "an array of jobs", jobs);
  if (jobs.length > LARGEST_GROUP) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `group: expected at most ${LARGEST_GROUP} members, got ${jobs.length}; make groups of groups, or enqueueMany what needs no common end`,
    );
  }
  return Array.from<unknown, Job>(jobs, (member, index) => {
    if (isJob(member)) return member;
    throw unexpected(`group member ${index}`, "a job, such as task.job(input)", member);
  });
}
