import assert from "node:assert/strict";
import {
  LET_GO_BY_LIMIT,
  type ClaimedJob,
  type NewGate,
  type NewJob,
  type TakeAnswer,
} from "@taskq/core/storage";
import { othersAreClaimedAsFast, parkAll } from "../claims-of-others.js";
import type { Context } from "../context.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const PER = 1_000;
const KEY = "api";
/** Parked, while others are claimed. */
const MANY = 10_000;

function limit(max: number, options: Partial<NewGate> = {}): NewGate {
  return { kind: "limit", key: KEY, max, per: PER, onBusy: "wait", ...options };
}

const LOCK: NewGate = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" };
const ids = (jobs: readonly { readonly id: string }[]): string[] => jobs.map((job) => job.id);

let operations = 0;

function take(
  context: Context,
  max: number,
  options: { readonly operation?: string; readonly per?: number; readonly key?: string } = {},
): Promise<TakeAnswer> {
  operations += 1;
  return context.storage.take({
    queue: context.queue,
    operation: options.operation ?? `operation ${operations}`,
    key: options.key ?? KEY,
    max,
    per: options.per ?? PER,
    now: context.now,
  });
}

const TAKEN: TakeAnswer = { taken: true, opensAt: undefined };

/** Fails if any window holds more starts than the maximum. */
function checkWindows(starts: readonly number[], max: number, per: number): void {
  const sorted = starts.toSorted((left, right) => left - right);
  for (const [index, start] of sorted.entries()) {
    const after = sorted[index + max];
    assert.ok(
      after === undefined || after - start >= per,
      `${max + 1} starts from ${start} to ${after}, of ${max} in ${per} ms`,
    );
  }
}

/** Claims all there is to begin, and takes note of the starts. */
async function claimAll(context: Context, starts: number[]): Promise<readonly ClaimedJob[]> {
  const runs = await context.claim({ n: 50 });
  starts.push(...runs.map(() => context.now));
  return runs;
}

/** A limit that has just opened for more of its line than it lets go at once. @param first the task of those at the head of the line */
async function reopened(context: Context, first: string = "work") {
  const max = 2 * LET_GO_BY_LIMIT + 10;
  const gates = [limit(max)];
  const begun = context.jobs(max, { gates });
  const unknown = context.jobs(LET_GO_BY_LIMIT, { gates, task: first });
  const jobs = [...begun, ...unknown, ...context.jobs(max - LET_GO_BY_LIMIT, { gates })];
  await context.enqueue(...jobs);
  const starts: string[] = [];
  const claimAgain = async (n: number): Promise<number> =>
    starts.push(...ids(await context.claim({ n, tasks: ["work"] })));
  const claimUntil = async (isDone: () => boolean | Promise<boolean>): Promise<void> => {
    for (let turns = 0; !(await isDone()); turns += 1) {
      assert.ok(turns < jobs.length, "the line stands still although there is room");
      await claimAgain(50);
    }
  };
  const counts = async () => (await context.storage.counts({ queue: context.queue }))["*"];
  await claimUntil(() => starts.length >= max);
  await claimUntil(async () => (await counts())?.parked === max);
  assert.equal(starts.length, max);
  context.advance(PER);
  await claimAgain(5);
  return { max, jobs, starts, claimUntil, counts };
}

async function largeRoom(context: Context): Promise<void> {
  const { max, jobs, starts, claimUntil, counts } = await reopened(context);
  const waiting = await counts();
  assert.ok((waiting?.ready ?? max) <= LET_GO_BY_LIMIT, "more are let go than will soon begin");
  await claimUntil(() => starts.length >= jobs.length);
  assert.deepEqual(starts, ids(jobs));
}

async function largeRoomRevoked(context: Context): Promise<void> {
  const { jobs, starts, claimUntil } = await reopened(context);
  const waiting = ids(jobs).slice(starts.length);
  const states = await context.states(...waiting);
  const ready = waiting.filter((_id, place) => states[place] === "ready");
  assert.ok(ready.length > 0, "nothing was let go");
  const { queue, now } = context;
  await context.storage.amend({ queue, now, ids: ready, change: { kind: "revoke", scope: "flow" } });
  await claimUntil(() => starts.length >= jobs.length - ready.length);
  const revoked = new Set(ready);
  assert.deepEqual(
    starts,
    ids(jobs).filter((id) => !revoked.has(id)),
  );
}

async function largeRoomUnknown(context: Context): Promise<void> {
  const { jobs, starts, claimUntil } = await reopened(context, "of another program");
  const known = jobs.filter(({ task }) => task === "work");
  await claimUntil(() => starts.length >= known.length);
  assert.deepEqual(starts, ids(known));
}

async function fairness(context: Context): Promise<void> {
  const gates = [limit(2)];
  const [one, two] = context.jobs(2, { gates, priority: 9 });
  const [low, first, second] = [
    context.job({ gates, priority: -1 }),
    context.job({ gates }),
    context.job({ gates }),
  ];
  await context.enqueue(one, two, low, first, second);
  assert.deepEqual(ids(await context.claim({ n: 9 })), [one.id, two.id]);
  context.advance(10);
  const urgent = context.job({ gates, priority: 5 });
  await context.enqueue(urgent);
  assert.deepEqual(await context.claim({ n: 9 }), []);
  assert.deepEqual(
    await context.states(low.id, first.id, second.id, urgent.id),
    Array.from({ length: 4 }, () => "parked"),
  );
  context.advance(PER - 11);
  assert.deepEqual(await context.claim({ n: 9 }), [], "the window is not over");
  context.advance(1);
  assert.deepEqual(ids(await context.claim({ n: 9 })), [urgent.id, first.id]);
  context.advance(PER);
  const late = context.job({ gates });
  await context.enqueue(late);
  assert.deepEqual(
    ids(await context.claim({ n: 9 })),
    [second.id, low.id],
    "whoever comes late waits behind",
  );
  context.advance(PER);
  assert.deepEqual(ids(await context.claim({ n: 9 })), [late.id]);
}

async function manyParked(context: Context): Promise<void> {
  await othersAreClaimedAsFast(context, async () => {
    assert.deepEqual(await take(context, 1), TAKEN);
    await context.enqueue(...context.jobs(MANY, { gates: [limit(1)], priority: 1 }));
    await parkAll(context, MANY);
  });
}

async function givenBack(context: Context): Promise<void> {
  const [first, second, third] = context.jobs(3, { gates: [limit(1)] });
  await context.enqueue(first, second, third);
  const [run] = await context.claim({ n: 3 });
  assert.ok(run !== undefined && run.id === first.id);
  context.advance(100);
  assert.equal(await context.settle(run, { kind: "released" }), "applied");
  const [next] = await context.claim({ n: 3 });
  assert.equal(next?.id, second.id, "the start goes to the first in the line");
  const due = context.now + 10 * PER;
  assert.equal(await context.settle(next, { kind: "postponed", due }), "applied");
  const [again] = await context.claim({ n: 3 });
  assert.equal(again?.id, first.id, "whoever gave it back stands in the line by its turn");
  assert.equal(again.attempt, 1);
  context.advance(PER - 1);
  assert.deepEqual(await context.claim({ n: 3 }), []);
  context.advance(1);
  assert.deepEqual(ids(await context.claim({ n: 3 })), [third.id]);
}

async function usedUp(context: Context): Promise<void> {
  const endings = [
    (run: ClaimedJob) => context.complete(run),
    (run: ClaimedJob) => context.fail(run),
    (run: ClaimedJob) => context.settle(run, { kind: "skipped", reason: "asked for" }),
    (run: ClaimedJob) => context.settle(run, { kind: "interrupted" }),
    async () => {
      context.advance(300);
      await context.storage.reap({ queue: context.queue, limit: 9, now: context.now });
      context.advance(150);
      const { reaped } = await context.storage.reap({ queue: context.queue, limit: 9, now: context.now });
      assert.equal(reaped.length, 1);
    },
  ];
  for (const [index, end] of endings.entries()) {
    const gates = [limit(1, { key: `api ${index}` })];
    const [first, second] = context.jobs(2, { gates });
    await context.enqueue(first, second);
    const began = context.now;
    const runs = await context.claim({ ids: [first.id, second.id], lease: 200 });
    assert.deepEqual(ids(runs), [first.id]);
    await end(at(runs, 0));
    assert.deepEqual(await context.claim({ ids: [first.id, second.id] }), [], `after the ending ${index}`);
    context.advance(began + PER - context.now);
    assert.equal((await context.claim({ n: 1 })).length, 1, `a window after the ending ${index}`);
    await context.storage.purge({ queue: context.queue, everything: true, limit: 100, now: context.now });
  }
}

/** The clock is set back by an hour, after some have started and others wait. */
async function setBack(context: Context): Promise<void> {
  const gates = [limit(2)];
  const now = context.now;
  context.advance(3_600_000);
  const [one, two, three, four] = context.jobs(4, { gates });
  await context.enqueue(one, two, three, four);
  assert.deepEqual(ids(await context.claim({ n: 9 })), [one.id, two.id]);
  context.now = now;
  const late = context.job({ gates });
  await context.enqueue(late);
  const starts: number[] = [];
  const began = [...(await claimAll(context, starts)), ...(await claimAll(context, starts))];
  assert.equal(began.length, 2, "what waits goes on once somebody comes");
  assert.deepEqual(await take(context, 2), { taken: false, opensAt: now + PER });
  assert.equal((await context.claimStep({ n: 9 })).nextDue, now + PER);
  context.advance(PER);
  assert.equal((await claimAll(context, starts)).length, 1);
  checkWindows(starts, 2, PER);
}

async function severalGates(context: Context): Promise<void> {
  const holder = context.job({ gates: [LOCK] });
  const both = context.job({ gates: [LOCK, limit(1)] });
  const limited = context.job({ gates: [limit(1)] });
  await context.enqueue(holder, both, limited);
  const runs = await context.claim({ n: 5 });
  assert.deepEqual(ids(runs), [holder.id, limited.id], "what waits for the lock uses up no start");
  assert.equal(await context.state(both.id), "parked");
  await context.complete(at(runs, 0));
  assert.deepEqual(await context.claim({ n: 5 }), []);
  const locked = context.job({ gates: [LOCK] });
  await context.enqueue(locked);
  const [other] = await context.claim({ n: 5 });
  assert.equal(other?.id, locked.id, "what waits for the limit holds no lock");
  context.advance(PER);
  assert.deepEqual(await context.claim({ n: 5 }), []);
  assert.deepEqual(await take(context, 1), TAKEN);
  await context.complete(other);
  assert.deepEqual(await context.claim({ n: 5 }), []);
  context.advance(PER);
  assert.deepEqual(ids(await context.claim({ n: 5 })), [both.id]);
}

async function verdicts(context: Context): Promise<void> {
  for (const kind of ["skip", "drop", "fail"] as const) {
    const gates = [limit(1, { key: `api ${kind}`, onBusy: kind })];
    const [free, over] = context.jobs(2, { gates });
    await context.enqueue(free, over);
    const runs = await context.claim({ n: 2 });
    assert.deepEqual(ids(runs), [free.id, over.id]);
    assert.equal(at(runs, 0).verdict, undefined);
    assert.deepEqual(at(runs, 1).verdict, { kind, gate: `api ${kind}`, gateKind: "limit" });
    assert.equal(await context.settle(at(runs, 1), { kind: "skipped", reason: "busy" }), "applied");
    const late = context.job({ gates });
    context.advance(PER);
    await context.enqueue(late);
    const run = await context.claimOne(late.id);
    assert.equal(run.verdict, undefined, "what was handed over used up no start");
  }
}

async function nextOpening(context: Context): Promise<void> {
  const jobs = context.jobs(4, { gates: [limit(2)] });
  await context.enqueue(at(jobs, 0));
  const start = context.now;
  assert.equal((await context.claimStep({ n: 5 })).claimed.length, 1);
  context.advance(400);
  await context.enqueue(at(jobs, 1), at(jobs, 2), at(jobs, 3));
  const { claimed, nextDue } = await context.claimStep({ n: 5 });
  assert.deepEqual([claimed.length, nextDue], [1, start + PER]);
  context.now = start + PER;
  const opened = await context.claimStep({ n: 5 });
  assert.deepEqual([opened.claimed.length, opened.nextDue], [1, start + 400 + PER]);
  context.now = start + 400 + PER;
  const last = await context.claimStep({ n: 5 });
  assert.deepEqual(ids(last.claimed), [at(jobs, 3).id]);
  assert.equal((await context.claimStep({ n: 5 })).nextDue, undefined);
}

async function windows(context: Context): Promise<void> {
  const max = 3;
  const jobs = Array.from({ length: 40 }, () => context.job({ gates: [limit(max)] }));
  await context.enqueue(...jobs);
  const second = await context.second();
  const starts: number[] = [];
  let done = 0;
  for (let round = 1; done < jobs.length; round += 1) {
    assert.ok(round < 500, "jobs behind the limit are never handed out");
    // No multiple of the window, so that starts spread over it.
    context.advance(170);
    const answers = await Promise.all(
      [context.storage, second].map((storage, index) =>
        storage.step({
          queue: context.queue,
          owner: `owner ${index}`,
          request: round,
          tasks: ["work"],
          settled: [],
          begun: [],
          claim: { begin: 1 + (round % 3), ahead: 2, lease: 30_000 },
          now: context.now,
        }),
      ),
    );
    const runs = answers.flatMap(({ claimed }) => claimed);
    assert.ok(
      runs.every(({ begun }) => begun),
      "a job with a limit was claimed ahead",
    );
    starts.push(...runs.map(() => context.now));
    for (const run of runs) await context.complete(run);
    done += runs.length;
  }
  checkWindows(starts, max, PER);
  assert.ok(context.now < at(starts, 0) + 15 * PER + 15 * 170, "the limit lets fewer start than it may");
}

async function differentTimes(context: Context): Promise<void> {
  assert.deepEqual(await take(context, 3, { per: 10_000 }), TAKEN);
  context.advance(PER);
  assert.deepEqual(await take(context, 1), TAKEN);
  assert.equal((await take(context, 1)).taken, false);
  context.advance(2 * PER);
  assert.deepEqual(await take(context, 1), TAKEN);
  const job: NewJob = context.job({ gates: [limit(3, { per: 10_000 })] });
  await context.enqueue(job);
  context.advance(2 * PER);
  const { claimed, nextDue } = await context.claimStep({ n: 1 });
  assert.deepEqual([claimed.length, nextDue], [0, context.now + 5 * PER]);
  context.advance(5 * PER);
  assert.deepEqual(ids(await context.claim({ n: 1 })), [job.id]);
}

export const limits: Subject = subject("step: limits", [
  promise("no window of a limit holds more starts than its maximum", windows),
  promise("a limit that opens lets the first of those parked go, by priority, then order", fairness),
  promise(
    "a limit with room for thousands lets few of its line go at a time, and all of them as they begin",
    largeRoom,
  ),
  promise(
    "a limit lets others of its line go in place of those that are revoked before they begin",
    largeRoomRevoked,
  ),
  promise(
    "those in the line of a limit whose task nobody knows keep no others waiting, however many they are",
    largeRoomUnknown,
  ),
  promise("a claim answers when a limit next opens", nextOpening),
  promise("a start under a limit is given back when its run is given back unbegun", givenBack),
  promise("a start under a limit counts on when its run has ended or its consumer died", usedUp),
  promise("a job with a limit and other gates takes all of them or none", severalGates),
  promise("a job whose limit is used up is handed over with the verdict of its policy", verdicts),
  promise("limits of different times under one key count the same starts", differentTimes),
  promise("starts further ahead than their window keep no limit shut", setBack),
  promise("ten thousand jobs parked under a limit leave the claims of others as they are", manyParked, {
    unrepeated: "it measures time",
  }),
  promise("explaining names the limit that is used up and when it opens", async (context) => {
    const jobs = context.jobs(3, { gates: [limit(1)] });
    await context.enqueue(...jobs);
    await context.claim({ n: 3 });
    context.advance(10);
    const explained = await context.storage.explain({
      queue: context.queue,
      ids: ids(jobs),
      now: context.now,
    });
    const causes = explained.slice(1).map((fact) => fact.causes.find(({ code }) => code === "limited"));
    const opensAt = context.now - 10 + PER;
    assert.deepEqual(causes, [
      { code: "limited", gate: KEY, holders: [], ahead: 0, opensAt },
      { code: "limited", gate: KEY, holders: [], ahead: 1, opensAt },
    ]);
    assert.equal((await context.jobRecord(at(jobs, 1).id)).gate, `limit:${KEY}`);
  }),
]);

export const taking: Subject = subject("take", [
  promise(
    "a start is taken while its window has fewer than the maximum, and else it answers when to try again",
    async (context) => {
      const start = context.now;
      assert.deepEqual(await take(context, 2), TAKEN);
      context.advance(300);
      assert.deepEqual(await take(context, 2), TAKEN);
      assert.deepEqual(await take(context, 2), { taken: false, opensAt: start + PER });
      assert.deepEqual(await take(context, 2, { key: "another" }), TAKEN);
      context.now = start + PER - 1;
      assert.deepEqual(await take(context, 2), { taken: false, opensAt: start + PER });
      context.now = start + PER;
      assert.deepEqual(await take(context, 2), TAKEN);
      assert.deepEqual(await take(context, 2), { taken: false, opensAt: start + 300 + PER });
      assert.deepEqual(await take(context, 1), { taken: false, opensAt: start + 2 * PER });
      // A process that had to wait for the store may come with an instant that others have passed.
      const late = { key: "late" };
      assert.deepEqual(await take(context, 1, late), TAKEN);
      context.now -= PER - 1;
      assert.deepEqual(await take(context, 1, late), { taken: false, opensAt: start + 2 * PER });
      context.now -= 1;
      assert.deepEqual(await take(context, 1, late), TAKEN);
    },
  ),

  promise("starts that are taken and starts of jobs count under the same limit", async (context) => {
    const starts: number[] = [];
    const jobs = context.jobs(6, { gates: [limit(3)] });
    await context.enqueue(...jobs);
    for (let round = 0; starts.length < 14; round += 1) {
      assert.ok(round < 200, "nothing starts any more");
      context.advance(90);
      if (round % 2 === 0 && (await take(context, 3)).taken) starts.push(context.now);
      await claimAll(context, starts);
    }
    checkWindows(starts, 3, PER);
    assert.deepEqual(
      await context.states(...ids(jobs)),
      Array.from({ length: 6 }, () => "active"),
    );
  }),

  promise("taking again under the same operation answers as before and takes nothing", async (context) => {
    assert.deepEqual(await take(context, 2, { operation: "a" }), TAKEN);
    assert.deepEqual(await take(context, 2, { operation: "a" }), TAKEN);
    assert.deepEqual(await take(context, 2, { operation: "b" }), TAKEN);
    assert.equal((await take(context, 2, { operation: "c" })).taken, false);
    assert.deepEqual(await take(context, 2, { operation: "b" }), TAKEN);
    context.advance(PER + 1);
    assert.deepEqual(
      await take(context, 1, { operation: "b" }),
      TAKEN,
      "the window is over, the call is known",
    );
    assert.deepEqual(await take(context, 1, { operation: "c" }), TAKEN, "a repeat took another start");
    assert.equal((await take(context, 1, { operation: "d" })).taken, false);
    context.advance(599_000);
    assert.deepEqual(await take(context, 1, { operation: "c" }), TAKEN, "not known for ten minutes");
    assert.deepEqual(await take(context, 1, { operation: "d" }), TAKEN, "a repeat took another start");
  }),
]);
