import { group, type Job } from "@taskq/core";
import { integerBetween } from "../random.js";
import {
  alone,
  failing,
  KEY_LIMIT,
  LIMIT,
  limited,
  limitedByKey,
  locked,
  nested,
  outcomes,
  PER,
  slotted,
  SLOTS,
  stage,
  work,
  type ChaosTask,
  type Trail,
  type Work,
} from "./tasks.js";
import type { Gate } from "./gates-verdict.js";
import type { PlannedFlow } from "./workload.js";

const LOCKS = 4;
/** Jobs for each name of which one may be unfinished at a time. */
const RIVALS = 3;
/** Names of which each has its own limit. */
const LIMITED_KEYS = 3;

/** Twentieths of the jobs: with a lock, with a slot, unique by key, in settled groups of three, in groups of a job and a group. */
export function planGated(jobs: number, random: () => number): PlannedFlow[] {
  const part = Math.round(jobs / 20);
  const planned = planOf(random);
  return [
    ...make(part, (index) => {
      const gate = `lock-${index % LOCKS}`;
      const key = `locked-${index}`;
      return plain(key, locked.job({ ...planned(key), gate }), { name: gate, max: 1 });
    }),
    ...make(part, (index) => {
      const key = `slotted-${index}`;
      return plain(key, slotted.job(planned(key)), { name: "slots", max: SLOTS });
    }),
    ...make(part, (index) => {
      const gate = `unique-${Math.floor(index / RIVALS)}`;
      const key = `alone-${index}`;
      return plain(key, alone.job({ ...planned(key), gate }), { name: gate, max: 1 });
    }),
    ...make(Math.round(part / 4), (index) => settled(`settled-${index}`, planned)),
    ...make(Math.round(part / 4), (index) => inner(`nested-${index}`, planned)),
  ];
}

/** As many jobs as may start in so many seconds: under one limit, and under one for each of three names. */
export function planLimited(seconds: number, random: () => number): PlannedFlow[] {
  const planned = planOf(random);
  const windows = Math.ceil((seconds * 1_000) / PER);
  return [
    ...make(windows * LIMIT, (index) => {
      const key = `limited-${index}`;
      return { ...single(key, limited.job(planned(key))), limit: { name: "limited", max: LIMIT, per: PER } };
    }),
    ...make(windows * KEY_LIMIT * LIMITED_KEYS, (index) => {
      const gate = `limit-${index % LIMITED_KEYS}`;
      const key = `limited-by-key-${index}`;
      const job = limitedByKey.job({ ...planned(key), gate });
      return { ...single(key, job), limit: { name: gate, max: KEY_LIMIT, per: PER } };
    }),
  ];
}

function planOf(random: () => number): Plan {
  return (key) => ({ key, milliseconds: integerBetween(random, 1, 20) });
}

function make(count: number, plan: (index: number) => PlannedFlow): PlannedFlow[] {
  return Array.from({ length: count }, (_, index) => plan(index));
}

type Plan = (key: string) => Work;

function single(key: string, job: Job<Trail, ChaosTask>): PlannedFlow {
  return { job, keys: [key], group: false, trail: [key] };
}

function plain(key: string, job: Job<Trail, ChaosTask>, gate: Gate): PlannedFlow {
  return { ...single(key, job), gate };
}

/** A job that completes, a pipeline, and a job that fails: their group goes on with all three. */
function settled(name: string, planned: Plan): PlannedFlow {
  const [first, second, third, fails, end] = ["a", "b", "c", "fails", "end"].map((part) => `${name}/${part}`);
  const keys = [first, second, third, fails, end] as string[];
  const [a, b, c, d, e] = keys.map(planned) as [Work, Work, Work, Work, Work];
  const members = [work.job(a), work.job(b).pipe(stage, c), failing.job(d)] as const;
  const job = group(members, { mode: "settled" }).pipe(outcomes, e);
  return { job, keys, group: true, trail: ["completed", "completed", "failed", e.key], failing: 1 };
}

function inner(name: string, planned: Plan): PlannedFlow {
  const keys = ["a", "b", "c", "end"].map((part) => `${name}/${part}`);
  const [a, b, c, end] = keys.map(planned) as [Work, Work, Work, Work];
  const job = group([work.job(a), group([work.job(b), work.job(c)])] as const).pipe(nested, end);
  return { job, keys, group: true, trail: keys };
}
