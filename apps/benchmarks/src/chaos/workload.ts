import { group, type Job } from "@taskq/core";
import { integerBetween, shuffled } from "../random.js";
import { planGated, planLimited } from "./gated-workload.js";
import type { Gate } from "./gates-verdict.js";
import type { Limit } from "./limits-verdict.js";
import { callback, stage, work, type ChaosTask, type Trail, type Work } from "./tasks.js";

/** One thing that is enqueued, and what must come out of it. */
export interface PlannedFlow {
  readonly job: Job<Trail, ChaosTask>;
  /** Of its jobs, in the order in which they must run; of a group, members first, the callback last. */
  readonly keys: readonly string[];
  readonly group: boolean;
  /** The trail that its end must yield. */
  readonly trail: readonly string[];
  /** What its job holds while it runs. */
  readonly gate?: Gate;
  /** What limits the starts of its job. */
  readonly limit?: Limit;
  /** Jobs of it that fail as planned. */
  readonly failing?: number;
}

export interface WorkloadOptions {
  readonly jobs: number;
  /** How long they keep coming. */
  readonly seconds: number;
  readonly gated: boolean;
}

const MEMBERS = 8;
const STAGES = 3;
/** In which part of the time limited jobs come. */
const LIMITED_SHARE = 0.8;

/**
 * A quarter of the jobs in pipelines of three stages, a tenth in groups of eight with a callback beyond those, the rest
 * single; `gated`: beside them jobs with locks, slots, limits and unique keys, and groups of both modes with groups inside.
 */
export function planWorkload({ jobs, seconds, gated }: WorkloadOptions, random: () => number): PlannedFlow[] {
  const pipelines = Math.round(jobs / 4 / STAGES);
  const groups = Math.round(jobs / 10 / MEMBERS);
  const singles = jobs - pipelines * STAGES - groups * MEMBERS;
  const flows = [
    ...Array.from({ length: pipelines }, (_, index) => pipeline(`pipeline-${index}`, random)),
    ...Array.from({ length: groups }, (_, index) => chord(`group-${index}`, random)),
    ...Array.from({ length: singles }, (_, index) => single(`single-${index}`, random)),
    ...(gated ? planGated(jobs, random) : []),
  ];
  const mixed = shuffled(flows, random);
  if (!gated) return mixed;
  // Limited jobs come faster than they may start, and the last of them well before the end.
  const early = mixed.splice(0, Math.round(mixed.length * LIMITED_SHARE));
  return [...shuffled([...early, ...planLimited(seconds, random)], random), ...mixed];
}

function planned(key: string, random: () => number): Work {
  return { key, milliseconds: integerBetween(random, 1, 20) };
}

function single(key: string, random: () => number): PlannedFlow {
  return { job: work.job(planned(key, random)), keys: [key], group: false, trail: [key] };
}

function pipeline(name: string, random: () => number): PlannedFlow {
  const keys = Array.from({ length: STAGES }, (_, index) => `${name}/${index}`);
  const [first = "", ...later] = keys;
  const start: Job<Trail, "work" | "stage"> = work.job(planned(first, random));
  const job = later.reduce((before, key) => before.pipe(stage, planned(key, random)), start);
  return { job, keys, group: false, trail: keys };
}

function chord(name: string, random: () => number): PlannedFlow {
  const members = Array.from({ length: MEMBERS }, (_, index) => `${name}/${index}`);
  const end = `${name}/callback`;
  const job = group(members.map((key) => work.job(planned(key, random)))).pipe(
    callback,
    planned(end, random),
  );
  const keys = [...members, end];
  return { job, keys, group: true, trail: keys };
}
