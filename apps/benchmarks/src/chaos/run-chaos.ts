import { existsSync, readFileSync } from "node:fs";
import type { Result } from "@taskq/core";
import { pause } from "../clock.js";
import { watchLoopDelay } from "../loop-delay.js";
import { seededRandom } from "../random.js";
import { LEASE } from "./consumer-role.js";
import { Consumers } from "./consumers.js";
import { judgeFreeing, type Freeing } from "./freeing.js";
import { judgeGates, type Deaths, type Gate, type GatesVerdict } from "./gates-verdict.js";
import { judgeLimits, type Limit, type LimitsVerdict } from "./limits-verdict.js";
import { Records } from "./records.js";
import { makeStore } from "./stores.js";
import { openChaosQueue, type ChaosQueue, type Flaw, type Trail } from "./tasks.js";
import { judge, type FinishedFlow, type Verdict } from "./verdict.js";
import { planWorkload, type PlannedFlow } from "./workload.js";

export interface ChaosOptions {
  /** `sqlite`, or `redis`: a server of its own. */
  readonly storage: string;
  readonly folder: string;
  readonly seed: number;
  readonly jobs: number;
  readonly consumers: number;
  /** How long jobs keep coming, while consumers are killed. */
  readonly seconds: number;
  /** The end, without kills. */
  readonly quietSeconds: number;
  /** The end is over as soon as nothing is left to be done. */
  readonly early: boolean;
  readonly flaw: Flaw | undefined;
  /** Also locks, slots, limits, unique keys, groups within groups and a schedule. */
  readonly gated: boolean;
  /** Told about progress. */
  readonly say: (line: string) => void;
}
export interface ChaosReport {
  readonly verdict: Verdict;
  readonly jobs: number;
  readonly runs: number;
  readonly kills: number;
  readonly killSeconds: number;
  /** Jobs by state at the end, those of which there are any. */
  readonly states: Readonly<Record<string, number>>;
  /** Jobs that fail as planned. */
  readonly failing: number;
  /** What became of gates and of the schedule. */
  readonly gates: (GatesVerdict & { readonly limits: LimitsVerdict; readonly freeing: Freeing }) | undefined;
  /** Jobs that ended by the crash budget; they count as lost. */
  readonly crashed: number;
  /** What judged the store itself, and what it said: `ok`, or what is wrong. */
  readonly integrity: { readonly name: string; readonly said: string };
  /** Consumers that ended by themselves. */
  readonly problems: readonly string[];
}

/** Flows that are enqueued together. */
const BATCH = 50;

/** Runs a workload through consumers that are killed all the time, and judges what came of it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const random = seededRandom(options.seed);
  const { flaw, gated } = options;
  const planned = planWorkload(options, random);
  await using own = await makeStore(options.storage, options.folder);
  const { store, check } = own;
  const queue = await openChaosQueue({ store, flaw, beating: false });
  await queue.counts();
  const consumers = new Consumers(options.folder, { store, flaw, beating: gated });
  consumers.start(options.consumers);
  const loopDelay = watchLoopDelay();

  const begun = performance.now();
  const { flows, results } = await killWhileEnqueueing(queue, planned, consumers, random, options);
  const killSeconds = (performance.now() - begun) / 1_000;
  options.say(`no more kills, for ${options.quietSeconds} s`);
  await quietEnd(queue, options);
  const lateness = loopDelay.max();
  await consumers.stop();

  const finished = await finishedFlows(flows, results);
  const counts = await queue.counts();
  const crashed = await crashedJobs(queue);
  await queue.close();
  const records = new Records();
  for (let number = 0; number < consumers.started; number += 1) {
    const log = consumers.logOf(number);
    if (existsSync(log)) records.read(readFileSync(log, "utf8"), number);
  }
  return {
    verdict: judge(finished, records.runs, consumers.killed),
    jobs: flows.reduce((sum, { keys }) => sum + keys.length, 0),
    failing: flows.reduce((sum, { failing = 0 }) => sum + failing, 0),
    gates: gated ? judgeAll({ flows, results, records, deaths: consumers.killed, lateness }) : undefined,
    runs: records.runs.length,
    kills: consumers.killed.size,
    killSeconds,
    states: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    crashed,
    integrity: { name: check.name, said: await check.ask() },
    problems: consumers.problems,
  };
}

/** Jobs come evenly; the kills go on until nearly all of them have run, for three times as long at most. */
async function killWhileEnqueueing(
  queue: ChaosQueue,
  flows: readonly PlannedFlow[],
  consumers: Consumers,
  random: () => number,
  { seconds, jobs, say }: ChaosOptions,
): Promise<{ flows: readonly PlannedFlow[]; results: readonly Result<Trail>[] }> {
  const begun = performance.now();
  let done = false;
  const killing = consumers.killUntil(() => done, random);
  const results: Result<Trail>[] = [];
  const stored: PlannedFlow[] = [];
  for (let from = 0; from < flows.length; from += BATCH) {
    const batch = flows.slice(from, from + BATCH).map(({ job }) => job);
    for (const [index, result] of (await queue.enqueueMany(batch)).entries()) {
      // Its unique key is taken: there is no such job.
      if (result.existing) continue;
      results.push(result);
      stored.push(flows[from + index] as PlannedFlow);
    }
    const due = begun + ((from + BATCH) / flows.length) * seconds * 1_000;
    await pause(Math.max(0, due - performance.now()));
  }
  let told = 0;
  while (performance.now() - begun < seconds * 3_000) {
    const left = await jobsLeft(queue);
    if (left <= jobs / 50) break;
    if (performance.now() - told > 5_000) {
      told = performance.now();
      say(`${left} left, ${consumers.killed.size} kills`);
    }
    await pause(250);
  }
  done = true;
  await killing;
  return { flows: stored, results };
}

async function quietEnd(queue: ChaosQueue, { quietSeconds, early }: ChaosOptions): Promise<void> {
  const end = performance.now() + quietSeconds * 1_000;
  for (let left = end - performance.now(); left > 0; left = end - performance.now()) {
    await pause(Math.min(250, left));
    if (early && (await jobsLeft(queue)) === 0) return;
  }
}

async function jobsLeft(queue: ChaosQueue): Promise<number> {
  const { scheduled, blocked, ready, parked, active } = await queue.counts();
  return scheduled + blocked + ready + parked + active;
}

interface Judged {
  readonly flows: readonly PlannedFlow[];
  readonly results: readonly Result<Trail>[];
  readonly records: Records;
  readonly deaths: Deaths;
  /** In milliseconds. */
  readonly lateness: number;
}

function judgeAll({ flows, results, records, deaths, lateness }: Judged): ChaosReport["gates"] {
  const gates = gatesOf(flows);
  const limited = new Map<string, { key: string; limit: Limit }>();
  for (const [index, { keys, limit }] of flows.entries()) {
    const { id } = results[index] as Result<Trail>;
    if (limit !== undefined) limited.set(id, { key: keys[0] ?? id, limit });
  }
  return {
    ...judgeGates(gates, records.runs, deaths),
    limits: judgeLimits(limited, records),
    freeing: judgeFreeing(gates, records, deaths, { lease: LEASE, lateness }),
  };
}

function gatesOf(flows: readonly PlannedFlow[]): ReadonlyMap<string, Gate> {
  const gates = new Map<string, Gate>();
  for (const { keys, gate } of flows) for (const key of keys) if (gate !== undefined) gates.set(key, gate);
  return gates;
}

async function finishedFlows(
  flows: readonly PlannedFlow[],
  results: readonly Result<Trail>[],
): Promise<FinishedFlow[]> {
  const finished: FinishedFlow[] = [];
  for (const [index, { keys, group, trail }] of flows.entries()) {
    const outcome = await results[index]?.peek();
    const yielded = outcome?.state === "completed" ? outcome.value.trail : undefined;
    finished.push({ keys, group, trail, yielded });
  }
  return finished;
}

async function crashedJobs(queue: ChaosQueue): Promise<number> {
  let crashed = 0;
  for await (const { outcome } of queue.jobs({ state: "failed" })) {
    if (outcome?.state === "failed" && outcome.error.code === "TASKQ_CRASHED") crashed += 1;
  }
  return crashed;
}
