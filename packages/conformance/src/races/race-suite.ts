/** Several processes on one store: what only real concurrency can show. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Runner } from "../storage-suite.js";
import { RACE_TASK, type RaceReport, type RaceTask } from "./messages.js";

export interface RaceSuiteOptions {
  readonly runner: Runner;
  /** Name of the storage. */
  readonly name: string;
  /** Address (`file:` URL) of a JavaScript module that exports `open(): Promise<Storage>`; each process imports it. */
  readonly open: string;
  /** Makes a fresh, empty store, and says by which variables of the environment `open` finds it. */
  readonly prepare: () => Promise<RacePlace>;
  /** @default 4 */
  readonly processes?: number | undefined;
  /** How long jobs are enqueued, in milliseconds. @default 2_000 */
  readonly duration?: number | undefined;
}

export interface RacePlace {
  readonly environment: Readonly<Record<string, string>>;
  /** Removes the store. */
  remove(): Promise<void>;
}

const PROCESSES = 4;
const DURATION = 2_000;
/** For the start of the processes and the jobs that are left at the end. */
const SLACK = 90_000;

/**
 * Declares a test in which several processes enqueue, claim, settle, tick and count on one store at once: each run is
 * handed to exactly one process, fences never go back, nothing is lost, counted twice or enqueued twice.
 *
 * @example
 * raceSuite({
 *   runner: { describe, test },
 *   name: "sqlite",
 *   open: new URL("./open.js", import.meta.url).href,
 *   prepare: async () => {
 *     const folder = await mkdtemp(join(tmpdir(), "taskq-"));
 *     return { environment: { TASKQ_FILE: join(folder, "race.db") }, remove: () => rm(folder, { recursive: true }) };
 *   },
 * });
 */
export function raceSuite(options: RaceSuiteOptions): void {
  const { describe, test } = options.runner;
  const { processes = PROCESSES, duration = DURATION } = options;
  describe(`${options.name} storage, ${processes} processes at once`, () => {
    test(
      "every run is handed to one process, and nothing is lost or done twice",
      async () => {
        const place = await options.prepare();
        try {
          const reports = await race(options.open, place, processes, duration);
          checkClaims(reports);
          checkJobs(reports);
          checkSchedule(reports);
          checkNumber(reports);
        } finally {
          await place.remove();
        }
      },
      duration + SLACK,
    );
  });
}

function race(
  open: string,
  place: RacePlace,
  processes: number,
  duration: number,
): Promise<readonly RaceReport[]> {
  const racers = Array.from({ length: processes }, (_, at) =>
    runRacer({ open, queue: "race", owner: `racer-${at + 1}`, duration }, place.environment),
  );
  return Promise.all(racers);
}

async function runRacer(task: RaceTask, environment: Readonly<Record<string, string>>): Promise<RaceReport> {
  const program = fileURLToPath(new URL("./racer.js", import.meta.url));
  const child = fork(program, [], {
    // Flags of the test runner are none of a racer's.
    execArgv: [],
    env: { ...process.env, ...environment, [RACE_TASK]: JSON.stringify(task) },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  let report: RaceReport | undefined;
  child.on("message", (message) => (report = message as RaceReport));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  assert.ok(
    code === 0 && report !== undefined,
    `${task.owner} ended with ${code ?? signal} and ${report === undefined ? "no" : "a"} report: ${complaint}`,
  );
  return report;
}

/** A fence belongs to one process, a process's fences and a job's fences grow, and each attempt is claimed once. */
function checkClaims(reports: readonly RaceReport[]): void {
  const owners = new Map<number, string>();
  const attempts = new Map<string, Map<number, number>>();
  for (const { owner, claims } of reports) {
    let last = 0;
    for (const { id, fence, attempt } of claims) {
      assert.ok(fence >= last, `${owner} got the fence ${fence} after ${last}`);
      last = fence;
      assert.equal(owners.get(fence) ?? owner, owner, `two processes got the fence ${fence}`);
      owners.set(fence, owner);
      const of = attempts.get(id) ?? new Map<number, number>();
      assert.ok(!of.has(attempt), `attempt ${attempt} of ${id} was handed out twice`);
      of.set(attempt, fence);
      attempts.set(id, of);
    }
  }
  for (const [id, of] of attempts) {
    const first = of.get(1);
    const second = of.get(2);
    assert.ok(first !== undefined, `${id} was never handed out for the first time`);
    assert.ok(second === undefined || second > first, `the fence of ${id} went back`);
  }
}

/** Every job that was enqueued was completed, once. */
function checkJobs(reports: readonly RaceReport[]): void {
  const enqueued = reports.flatMap((report) => report.enqueued);
  assert.ok(enqueued.length > 0, "nothing was enqueued");
  assert.ok(
    reports.every(({ claims }) => claims.length > 0),
    "a process got nothing to do",
  );
  const settled = reports.flatMap((report) => report.settled);
  assert.equal(settled.length, reports.flatMap(({ claims }) => claims).length, "a run was taken away");
  const completed = settled.filter(({ final }) => final).map(({ id }) => id);
  assert.deepEqual(completed.toSorted(), enqueued.toSorted(), "jobs lost, made up or completed twice");
  // A process may be done while another one still enqueues; the last one sees it all.
  assert.equal(Math.min(...reports.map(({ unfinished }) => unfinished)), 0, "jobs were left over");
  assert.equal(Math.max(...reports.map((report) => report.completed)), enqueued.length, "counts");
}

function checkSchedule(reports: readonly RaceReport[]): void {
  const ticks = reports.flatMap((report) => report.ticks);
  assert.equal(new Set(ticks).size, ticks.length, "an instant of the schedule was enqueued twice");
  assert.ok(ticks.length > 0, "the schedule never fired");
}

function checkNumber(reports: readonly RaceReport[]): void {
  const increments = reports.reduce((sum, report) => sum + report.increments, 0);
  const totals = reports.map(({ total }) => total);
  assert.equal(Math.max(...totals), increments, "increments do not add up");
}
