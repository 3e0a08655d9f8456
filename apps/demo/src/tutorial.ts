/** The tutorial: each thing a queue is for, once, with what must come of it. */
import { JobCancelledError } from "@taskq/core";
import { setTimeout as sleep } from "node:timers/promises";
import { check, claim, type Check } from "./checks.js";
import type { MissionControl } from "./mission-control.js";
import type { DemoQueue } from "./queue.js";
import {
  add,
  flaky,
  multiply,
  neverRuns,
  number,
  pi,
  reminder,
  slowIo,
  store,
  sync,
} from "./tutorial-tasks.js";

/** Nothing here takes longer, however busy the machine. */
const PATIENCE = { timeout: "30s" } as const;
const AHEAD = 3_000;
/** What a consumer tells comes a moment after the result; its lines are to stand under their heading. */
const MESSAGES_WITHIN = 60;
const BEATS_WITHIN = 10_000;
const DECIMALS = 20_000;
/** The first six nines in a row, at the 762nd decimal (https://en.wikipedia.org/wiki/Six_nines_in_pi). */
const SIX_NINES = { at: 762, digits: "999999" };

export async function tutorial(queue: DemoQueue, control: MissionControl): Promise<readonly Check[]> {
  control.heading(`A job for later, in ${AHEAD / 1_000} s, and one that is revoked before it is due`);
  const laterOn = await scheduleAhead(queue);
  const revoked = await revokeBeforeItRuns(queue);
  const checks: Check[] = [];
  for (const { title, show } of STEPS) {
    control.heading(title);
    checks.push(...(await show(queue)));
    await sleep(MESSAGES_WITHIN);
  }
  control.heading("The job for later, and the heartbeat of every 2 s");
  const onTime = await laterOn();
  const beats = await heartbeats(queue);
  control.line(`  the job for later ran after ${onTime.got}; heartbeats so far: ${beats[0]?.got ?? "none"}`);
  checks.push(onTime, revoked, await revokedNeverRan(queue), ...beats);
  await sleep(MESSAGES_WITHIN);
  return checks;
}

interface Step {
  readonly title: string;
  readonly show: (queue: DemoQueue) => Promise<readonly Check[]>;
}

const STEPS: readonly Step[] = [
  { title: "A quick job: add 2 and 3", show: quickAdd },
  { title: "Slow input and output: a worker waits a second, the others go on", show: slow },
  { title: "A flaky call: fails twice, has 3 retries and priority 100", show: flakyCall },
  {
    title: `Hard work for the processor: ${DECIMALS.toLocaleString("en")} decimals of π, by a job that knows its id`,
    show: hardWork,
  },
  { title: "Three jobs under one lock, fired at once, run one after the other", show: locked },
  { title: "A pipeline: 123, times 5, then stored", show: pipeline },
];

async function quickAdd(queue: DemoQueue): Promise<readonly Check[]> {
  const result = await queue.enqueue(add.job({ a: 2, b: 3 }));
  return [check("quick job: 2 + 3", 5, await result.wait(PATIENCE))];
}

async function slow(queue: DemoQueue): Promise<readonly Check[]> {
  const result = await queue.enqueue(slowIo.job(1));
  const quick = await queue.enqueue(add.job({ a: 20, b: 3 }));
  const sum = await quick.wait(PATIENCE);
  const waiting = (await result.peek()) === undefined;
  return [
    check("slow job", "done", await result.wait(PATIENCE)),
    check(
      "quick job beside it, meanwhile",
      "23, not held up",
      `${sum}, ${waiting ? "not held up" : "held up"}`,
    ),
  ];
}

async function flakyCall(queue: DemoQueue): Promise<readonly Check[]> {
  const result = await queue.enqueue(flaky.job());
  return [check("flaky job", "worked on run 3", await result.wait(PATIENCE))];
}

async function hardWork(queue: DemoQueue): Promise<readonly Check[]> {
  const result = await queue.enqueue(pi.job(DECIMALS));
  const { id, decimals } = await result.wait(PATIENCE);
  const { at, digits } = SIX_NINES;
  return [
    check(
      `π: decimals ${at} to ${at + digits.length - 1} of ${decimals.length}`,
      digits,
      decimals.slice(at - 1, at - 1 + digits.length),
    ),
    check("π: the id that the job reports", result.id, id),
  ];
}

async function locked(queue: DemoQueue): Promise<readonly Check[]> {
  const results = await queue.enqueueMany(["ada", "grace", "edsger"].map((account) => sync.job(account)));
  const runs = await Promise.all(results.map((result) => result.wait(PATIENCE)));
  const ordered = runs.toSorted((one, other) => one.startedAt - other.startedAt);
  const overlaps = ordered.filter(({ startedAt }, index) => startedAt < (ordered[index - 1]?.endedAt ?? 0));
  return [
    check(
      "jobs under one lock: order",
      "ada, grace, edsger",
      ordered.map(({ account }) => account).join(", "),
    ),
    check("jobs under one lock: at the same time", 0, overlaps.length),
  ];
}

async function pipeline(queue: DemoQueue): Promise<readonly Check[]> {
  const flow = number.job(123).pipe(multiply, { factor: 5 }).pipe(store);
  const result = await queue.enqueue(flow);
  await result.wait(PATIENCE);
  return [check("pipeline 123 → × 5 → store", 615, await queue.values.get<number>("pipeline"))];
}

/** Answers what to await once the job is due. */
async function scheduleAhead(queue: DemoQueue): Promise<() => Promise<Check>> {
  const enqueuedAt = Date.now();
  const result = await queue.enqueue(reminder.job("tea is ready"), { delay: AHEAD });
  return async () => {
    const { ranAt } = await result.wait(PATIENCE);
    const after = ranAt - enqueuedAt;
    const ok = after >= AHEAD && after < AHEAD + 2_000;
    return claim("job for later: ran after", "3.0 s or a little more", `${(after / 1_000).toFixed(3)} s`, ok);
  };
}

async function revokeBeforeItRuns(queue: DemoQueue): Promise<Check> {
  const result = await queue.enqueue(neverRuns.job(), { delay: 2_000 });
  await result.revoke();
  try {
    await result.wait(PATIENCE);
    return claim("revoked job: its outcome", "cancelled", "completed", false);
  } catch (error) {
    if (!(error instanceof JobCancelledError)) throw error;
    return check("revoked job: its outcome", "cancelled, revoked", `cancelled, ${error.reason}`);
  }
}

/** Asked after its instant has passed. */
async function revokedNeverRan(queue: DemoQueue): Promise<Check> {
  return check("revoked job: did it run?", "no", (await queue.values.get<string>("never-runs")) ?? "no");
}

async function heartbeats(queue: DemoQueue): Promise<readonly Check[]> {
  const read = async (key: string): Promise<number> => (await queue.values.get<number>(key)) ?? 0;
  const until = Date.now() + BEATS_WITHIN;
  while ((await read("heartbeats")) < 2 && Date.now() < until) await sleep(50);
  const beats = await read("heartbeats");
  return [
    claim("heartbeats so far", "2 or more", String(beats), beats >= 2),
    check("heartbeats: the same one twice", 0, await read("heartbeats-twice")),
  ];
}
