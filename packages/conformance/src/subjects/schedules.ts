import assert from "node:assert/strict";
import type {
  NewFlow,
  NewJob,
  ScheduleRecord,
  SchedulesAnswer,
  SchedulesRequest,
  StorageContract,
  TickAnswer,
  TickRequest,
} from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import type { Context } from "../context.js";
import { after, flowOf } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";

const NAME = "report";
const TASK = "work";
const HOUR = 3_600_000;

function change(context: Context, request: SchedulesRequest["change"]): Promise<SchedulesAnswer> {
  return context.storage.schedules({ queue: context.queue, change: request, now: context.now });
}

function declare(context: Context, name: string = NAME, body = "every hour"): Promise<SchedulesAnswer> {
  return change(context, { kind: "declare", name, origin: "task", task: TASK, bytes: bytes(body) });
}

async function scheduleNamed(context: Context, name: string = NAME): Promise<ScheduleRecord | undefined> {
  const { schedules } = await change(context, undefined);
  return schedules.find((schedule) => schedule.name === name);
}

function namesOf({ schedules }: SchedulesAnswer): readonly string[] {
  return schedules.map(({ name }) => name);
}

/** A tick for this instant, with one job, upon the last instant that the storage knows. */
async function tick(
  context: Context,
  job: NewJob,
  options: Partial<TickRequest> = {},
  storage: StorageContract = context.storage,
): Promise<TickAnswer> {
  return storage.tick({
    queue: context.queue,
    name: NAME,
    previous: options.previous ?? (await scheduleNamed(context))?.lastAt ?? 0,
    at: context.now,
    flows: [flowOf(job)],
    overlap: "allow",
    now: context.now,
    ...options,
  });
}

export const ticking: Subject = subject("tick", [
  promise("an instant of a schedule enqueues at most one flow, however many ask", async (context) => {
    await declare(context);
    const previous = context.now;
    context.advance(HOUR);
    const second = await context.second();
    const jobs = context.jobs(4);
    const answers = await Promise.all(
      jobs.map((job, index) => tick(context, job, { previous }, index % 2 === 0 ? context.storage : second)),
    );
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), ["applied", "stale", "stale", "stale"]);
    assert.ok(answers.every(({ lastAt }) => lastAt === context.now));
    const applied = answers.findIndex(({ status }) => status === "applied");
    assert.equal(answers[applied]?.flows[0]?.status, "stored");
    const claimed = await context.claim({ n: 9 });
    assert.deepEqual(
      claimed.map(({ id }) => id),
      [jobs[applied]!.id],
    );
    assert.equal((await scheduleNamed(context))?.lastId, jobs[applied]!.id);
  }),

  promise("a tick with a stale last instant does nothing and answers the last one", async (context) => {
    await declare(context);
    const seen = context.now;
    context.advance(HOUR);
    const [first, second] = context.jobs(2);
    assert.equal((await tick(context, first)).status, "applied");
    const last = context.now;
    context.advance(HOUR);
    const answer = await tick(context, second, { previous: seen });
    assert.equal(answer.status, "stale");
    assert.equal(answer.lastAt, last);
    assert.deepEqual(answer.flows, []);
    assert.equal(await context.state(second.id), undefined);
    assert.equal((await scheduleNamed(context))?.lastAt, last);
  }),

  promise("a tick for an instant that has not come does nothing", async (context) => {
    await declare(context);
    const lastAt = context.now;
    const [early, job] = context.jobs(2);
    context.advance(HOUR - 1);
    const answer = await tick(context, early, { at: context.now + 1 });
    assert.deepEqual([answer.status, answer.lastAt], ["stale", lastAt]);
    assert.equal(await context.state(early.id), undefined);
    assert.equal((await scheduleNamed(context))?.lastAt, lastAt);
    context.advance(1);
    assert.equal((await tick(context, job)).status, "applied");
  }),

  promise("a tick that overlaps with skip records the instant and enqueues nothing", async (context) => {
    await declare(context);
    const [first, second, third] = context.jobs(3);
    context.advance(HOUR);
    assert.equal((await tick(context, first, { overlap: "skip" })).status, "applied");
    context.advance(HOUR);
    const answer = await tick(context, second, { overlap: "skip" });
    assert.equal(answer.status, "overlapped");
    assert.equal(answer.lastAt, context.now);
    assert.equal(await context.state(second.id), undefined);
    assert.equal((await scheduleNamed(context))?.lastAt, context.now);
    await context.runToEnd(first.id);
    context.advance(HOUR);
    assert.equal((await tick(context, third, { overlap: "skip" })).status, "applied");
    await context.runToEnd(third.id);
  }),

  promise("a tick that overlaps with queue lets one wait at most", async (context) => {
    await declare(context);
    const [first, unneeded, waiting, refused] = context.jobs(4);
    context.advance(HOUR);
    assert.equal((await tick(context, first, { overlap: "queue" })).status, "applied");
    context.advance(HOUR);
    assert.equal((await tick(context, unneeded, { overlap: "queue" })).status, "overlapped");
    const run = await context.claimOne(first.id);
    context.advance(HOUR);
    assert.equal((await tick(context, waiting, { overlap: "queue" })).status, "applied");
    context.advance(HOUR);
    const answer = await tick(context, refused, { overlap: "queue" });
    assert.equal(answer.status, "overlapped");
    assert.equal(answer.lastAt, context.now);
    assert.deepEqual(await context.states(unneeded.id, refused.id), [undefined, undefined]);
    assert.deepEqual(await context.claim({ n: 5 }), [], "two of a schedule run at once");
    const { storage, queue, now } = context;
    const later = { kind: "reschedule", due: now + 1_000 } as const;
    assert.deepEqual((await storage.amend({ queue, ids: [waiting.id], change: later, now })).changed, [
      waiting.id,
    ]);
    assert.equal(await context.state(waiting.id), "parked", "it waits for its turn, whatever its due");
    await context.complete(run);
    assert.equal(await context.state(waiting.id), "scheduled");
    context.advance(1_000);
    await context.complete(await context.claimOne());
    assert.equal(await context.state(waiting.id), "completed");

    // A group without members waits for nothing: what comes before it leads to no end.
    const [apart, last, next] = context.jobs(3);
    const empty: NewFlow = { ...context.group([]), jobs: [] };
    const end = after(last, [empty.end]);
    context.advance(HOUR);
    await tick(context, apart, {
      overlap: "queue",
      flows: [{ end: last.id, jobs: [apart, end], joins: empty.joins }],
    });
    await context.claimOne(apart.id);
    context.advance(HOUR);
    assert.equal((await tick(context, next, { overlap: "queue" })).status, "overlapped");
  }),

  promise("the flows of a tick run one after the other, unless they may overlap", async (context) => {
    await declare(context);
    for (const overlap of ["skip", "queue"] as const) {
      const jobs = context.jobs(3);
      context.advance(HOUR);
      const { flows } = await tick(context, jobs[0], { overlap, flows: jobs.map((job) => flowOf(job)) });
      assert.deepEqual(
        flows.map(({ status }) => status),
        ["stored", "stored", "stored"],
      );
      context.advance(HOUR);
      assert.equal((await tick(context, context.job(), { overlap })).status, "overlapped");
      for (const job of jobs) {
        const run = await context.claimOne(job.id);
        assert.deepEqual(await context.claim({ n: 5 }), [], "two of a schedule run at once");
        await context.complete(run);
      }
    }
    const jobs = context.jobs(2);
    context.advance(HOUR);
    await tick(context, jobs[0], { overlap: "allow", flows: jobs.map((job) => flowOf(job)) });
    assert.equal((await context.claim({ n: 5 })).length, 2);
  }),

  promise("a tick of a paused or removed schedule enqueues nothing", async (context) => {
    await declare(context);
    const [first, second, third] = context.jobs(3);
    await change(context, { kind: "pause", name: NAME });
    context.advance(HOUR);
    const paused = await tick(context, first);
    assert.equal(paused.status, "paused");
    assert.equal(paused.lastAt, context.now);
    await change(context, { kind: "resume", name: NAME });
    context.advance(HOUR);
    assert.equal((await tick(context, second)).status, "applied");
    await change(context, { kind: "remove", name: NAME });
    context.advance(HOUR);
    const removed = await tick(context, third, { previous: context.now - HOUR });
    assert.equal(removed.status, "removed");
    assert.equal(removed.lastAt, undefined);
    assert.deepEqual(await context.states(first.id, third.id), [undefined, undefined]);
  }),

  promise("a tick uses up a task revoked once", async (context) => {
    await declare(context);
    await context.storage.control({
      queue: context.queue,
      task: TASK,
      change: { kind: "revoke", once: true, until: undefined },
      now: context.now,
    });
    const [skipped, next] = context.jobs(2);
    context.advance(HOUR);
    const answer = await tick(context, skipped);
    assert.equal(answer.status, "revoked");
    assert.equal(answer.lastAt, context.now);
    assert.equal(await context.state(skipped.id), undefined);
    context.advance(HOUR);
    assert.equal((await tick(context, next)).status, "applied");
    assert.equal((await context.claimOne()).id, next.id);
  }),

  promise("of several instants in one tick, a task revoked once skips the first alone", async (context) => {
    await declare(context);
    for (const overlap of ["allow", "skip", "queue"] as const) {
      const revocation = { kind: "revoke", once: true, until: undefined } as const;
      await context.storage.control({
        queue: context.queue,
        task: TASK,
        change: revocation,
        now: context.now,
      });
      const jobs = context.jobs(3);
      const [skipped, second, third] = jobs;
      context.advance(HOUR);
      const flows = jobs.map((job) => flowOf(job));
      const answer = await tick(context, skipped, { overlap, flows });
      assert.deepEqual([answer.status, answer.skipped, answer.lastAt], ["applied", 1, context.now]);
      assert.deepEqual(
        answer.flows.map(({ id }) => id),
        [second.id, third.id],
      );
      assert.equal(await context.state(skipped.id), undefined);
      for (const job of [second, third]) await context.complete(await context.claimOne(job.id));
    }
    const until = { kind: "revoke", once: false, until: context.now + 2 * HOUR } as const;
    await context.storage.control({ queue: context.queue, task: TASK, change: until, now: context.now });
    context.advance(HOUR);
    const all = context.jobs(2);
    const answer = await tick(context, all[0], { flows: all.map((job) => flowOf(job)) });
    assert.deepEqual([answer.status, answer.flows], ["revoked", []]);
  }),
]);

export const scheduling: Subject = subject("schedules", [
  promise("a schedule first seen starts at that moment", async (context) => {
    const { changed, schedules } = await declare(context);
    assert.equal(changed, true);
    assert.equal(schedules.length, 1);
    const [schedule] = schedules;
    assert.deepEqual(
      { ...schedule, bytes: text(schedule?.bytes) },
      {
        name: NAME,
        origin: "task",
        task: TASK,
        bytes: "every hour",
        paused: false,
        lastAt: context.now,
        lastId: undefined,
      },
    );
  }),

  promise("declaring a schedule again keeps its last instant and its pause", async (context) => {
    await declare(context);
    context.advance(HOUR);
    const job = context.job();
    await tick(context, job);
    const last = context.now;
    await change(context, { kind: "pause", name: NAME });
    context.advance(HOUR);
    await declare(context, NAME, "every day");
    const schedule = await scheduleNamed(context);
    assert.equal(schedule?.lastAt, last);
    assert.equal(schedule?.lastId, job.id);
    assert.equal(schedule?.paused, true);
    assert.equal(text(schedule?.bytes), "every day");
  }),

  promise(
    "a schedule put in place of another starts at that moment, and the same one again goes on as it was",
    async (context) => {
      const put = async (body: string): Promise<readonly unknown[]> => {
        const stored = { kind: "upsert", origin: "stored", task: TASK } as const;
        const { changed, schedules } = await change(context, { ...stored, name: NAME, bytes: bytes(body) });
        return [changed, schedules[0]?.lastAt, schedules[0]?.paused, text(schedules[0]?.bytes)];
      };
      const start = context.now;
      assert.deepEqual(await put("every hour"), [true, start, false, "every hour"]);
      await change(context, { kind: "pause", name: NAME });
      context.advance(HOUR);
      assert.deepEqual(await put("every hour"), [false, start, true, "every hour"]);
      assert.deepEqual(await put("every day"), [true, context.now, false, "every day"]);
    },
  ),

  promise("schedules are paused, resumed and removed by name", async (context) => {
    for (const name of ["b", "c", "a"]) await declare(context, name);
    const paused = await change(context, { kind: "pause", name: "b" });
    assert.equal(paused.changed, true);
    const { schedules } = await change(context, undefined);
    assert.deepEqual(
      schedules.map((schedule) => [schedule.name, schedule.paused]),
      [
        ["a", false],
        ["b", true],
        ["c", false],
      ],
    );
    assert.equal((await change(context, { kind: "pause", name: "b" })).changed, false);
    assert.equal((await change(context, { kind: "resume", name: "b" })).changed, true);
    assert.equal((await scheduleNamed(context, "b"))?.paused, false);
    const removed = await change(context, { kind: "remove", name: "a" });
    assert.equal(removed.changed, true);
    assert.deepEqual(namesOf(await change(context, undefined)), ["b", "c"]);
    for (const kind of ["pause", "resume", "remove"] as const) {
      assert.equal((await change(context, { kind, name: "unknown" })).changed, false);
    }
  }),

  promise("a schedule that is resumed goes on from that moment", async (context) => {
    await declare(context);
    const began = context.now;
    context.advance(5_000);
    assert.equal((await change(context, { kind: "resume", name: NAME })).changed, false);
    assert.equal((await scheduleNamed(context))?.lastAt, began, "it was not paused");
    await change(context, { kind: "pause", name: NAME });
    context.advance(60_000);
    assert.equal((await scheduleNamed(context))?.lastAt, began);
    await change(context, { kind: "resume", name: NAME });
    assert.equal((await scheduleNamed(context))?.lastAt, context.now);
    await change(context, { kind: "pause", name: NAME });
    context.advance(-60_000);
    await change(context, { kind: "resume", name: NAME });
    assert.equal((await scheduleNamed(context))?.lastAt, context.now + 60_000, "no instant comes again");
  }),

  promise("who changes or asks for one schedule is answered that one alone", async (context) => {
    for (const name of ["b", "c", "a"]) assert.deepEqual(namesOf(await declare(context, name)), [name]);
    for (const kind of ["pause", "pause", "resume"] as const) {
      const { schedules } = await change(context, { kind, name: "b" });
      assert.deepEqual(
        schedules.map(({ name, paused }) => [name, paused]),
        [["b", kind === "pause"]],
      );
    }
    const { queue, now } = context;
    for (const name of ["a", "unknown"]) {
      const answer = await context.storage.schedules({ queue, name, now });
      assert.equal(answer.changed, false);
      assert.deepEqual(namesOf(answer), name === "a" ? ["a"] : []);
    }
    assert.deepEqual(namesOf(await change(context, { kind: "remove", name: "a" })), []);
    assert.deepEqual(namesOf(await change(context, undefined)), ["b", "c"]);
  }),
]);
