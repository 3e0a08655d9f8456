import type { RecordedRun } from "./records.js";

/** One flow at the end: what was planned, and what the storage has of it. */
export interface FinishedFlow {
  readonly keys: readonly string[];
  readonly group: boolean;
  /** What its end must yield. */
  readonly trail: readonly string[];
  /** What its end yielded; `undefined`: it did not complete. */
  readonly yielded: readonly string[] | undefined;
}

/** What was found; each list must be empty but for `rerun`. */
export interface Verdict {
  /** Jobs without a completed run, however they ended. */
  readonly lost: readonly string[];
  /** Jobs run again although an earlier run was not in flight in a consumer that was killed. */
  readonly duplicates: readonly string[];
  /** Runs that were in flight at a kill and were repeated, as they must be. */
  readonly rerun: number;
  readonly early: readonly string[];
  /** Callbacks of which two runs were accepted, or that ran again without need. */
  readonly twice: readonly string[];
  readonly missing: readonly string[];
  /** Flows whose end yielded something else than the results of all its jobs, in order. */
  readonly wrong: readonly string[];
}

/** Judges all flows by the records of the consumers and by what the storage has. */
export function judge(
  flows: readonly FinishedFlow[],
  runs: readonly RecordedRun[],
  killed: { has(consumer: number): boolean },
): Verdict {
  const byKey = new Map<string, RecordedRun[]>();
  for (const run of runs) {
    const ofKey = byKey.get(run.key);
    if (ofKey === undefined) byKey.set(run.key, [run]);
    else ofKey.push(run);
  }
  const found = {
    lost: [] as string[],
    duplicates: [] as string[],
    rerun: 0,
    early: [] as string[],
    twice: [] as string[],
    missing: [] as string[],
    wrong: [] as string[],
  };
  for (const flow of flows) {
    const completed = flow.yielded !== undefined;
    for (const key of flow.keys) {
      const ofKey = (byKey.get(key) ?? []).toSorted((a, b) => a.fence - b.fence);
      // A completed flow has no job that is not; of others, jobs that are known to be stored are not lost.
      if (ofKey.length === 0 || (!completed && !ofKey.some(({ stored }) => stored))) found.lost.push(key);
      const unexplained = ofKey.slice(0, -1).filter((run) => run.stored || !killed.has(run.consumer));
      found.rerun += Math.max(0, ofKey.length - 1 - unexplained.length);
      if (unexplained.length > 0) found.duplicates.push(key);
    }
    if (flow.group) judgeCallback(flow, byKey, found);
    if (completed && flow.yielded.join(" ") !== flow.trail.join(" ")) found.wrong.push(flow.keys.join(","));
  }
  return found;
}

function judgeCallback(
  flow: FinishedFlow,
  byKey: ReadonlyMap<string, readonly RecordedRun[]>,
  found: { duplicates: string[]; early: string[]; twice: string[]; missing: string[] },
): void {
  const members = flow.keys.slice(0, -1);
  const key = flow.keys.at(-1) ?? "";
  const runs = byKey.get(key) ?? [];
  if (flow.yielded === undefined) found.missing.push(key);
  if (found.duplicates.includes(key) || runs.filter(({ stored }) => stored).length > 1) found.twice.push(key);
  const first = Math.min(...runs.map(({ startedAt }) => startedAt));
  const endedBefore = (member: string): boolean =>
    (byKey.get(member) ?? []).some(({ endedAt }) => endedAt !== undefined && endedAt <= first);
  if (runs.length > 0 && !members.every(endedBefore)) found.early.push(key);
}

/** Whether nothing is wrong. */
export function isClean({ lost, duplicates, early, twice, missing, wrong }: Verdict): boolean {
  return [lost, duplicates, early, twice, missing, wrong].every((each) => each.length === 0);
}
