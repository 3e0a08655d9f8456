import assert from "node:assert/strict";
import {
  CONSEQUENCES_PER_STEP,
  FEED_ERROR_BYTES,
  FEED_KEPT_FOR,
  type ClaimedJob,
  type EventsAnswer,
  type StorageContract,
  type StoredEvent,
} from "@taskq/core/storage";
import { text } from "../bytes.js";
import { RETENTION, type Context } from "../context.js";
import { chain } from "../flows.js";
import { cancel, ELSEWHERE, exportAll, finish, move } from "../moving.js";
import { promise, subject, type Subject } from "../promise.js";

const DAY = 86_400_000;

/** One read of the feed. */
function read(
  context: Context,
  from: string,
  options: { readonly limit?: number; readonly storage?: StorageContract } = {},
): Promise<EventsAnswer> {
  const { limit = 100, storage = context.storage } = options;
  return storage.events({ queue: context.queue, from, limit, now: context.now });
}

/** Follows the queue, and answers the cursor where the feed begins. */
async function follow(context: Context): Promise<string> {
  const { events, cursor } = await read(context, "now");
  assert.deepEqual(events, [], "from now on, there is nothing yet");
  return cursor;
}

/** All that is behind a cursor, page by page. */
async function readAll(context: Context, from: string): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let cursor = from; ;) {
    const page = await read(context, cursor);
    if (page.events.length === 0) return events;
    events.push(...page.events);
    cursor = page.cursor;
  }
}

function ids(events: readonly StoredEvent[]): readonly string[] {
  return events.map(({ id }) => id);
}

function states({ events }: EventsAnswer): readonly (readonly [string, string])[] {
  return events.map(({ id, state }) => [id, state]);
}

export const feeding: Subject = subject("events", [
  promise(
    "the feed tells of every job that becomes final, once and in the order they were stored",
    async (context) => {
      const start = await follow(context);
      const [done, failed, first, second, given] = context.jobs(5);
      const [expiring] = context.jobs(1, { expiresAt: context.now + 5_000 });
      await context.enqueue(done, failed, chain(first, second), given, expiring);
      const ran = await context.claimOne(done.id);
      context.advance(250);
      assert.equal(await context.complete(ran, "result", { startedAt: context.now - 200 }), "applied");
      const completedAt = context.now;
      assert.equal(await context.complete(ran, "result"), "repeated");
      const failure = await context.runToFailure(failed.id, "boom");
      await context.runToFailure(first.id);
      const back = await context.claimOne(given.id);
      await context.settle(back, { kind: "retry", error: undefined, due: context.now, counts: true });
      await context.storage.amend({
        queue: context.queue,
        ids: [given.id],
        change: { kind: "revoke", scope: "flow" },
        now: context.now,
      });
      context.advance(10_000);
      assert.deepEqual(await context.claim({ n: 5 }), []);
      const answer = await read(context, start);
      assert.deepEqual(states(answer), [
        [done.id, "completed"],
        [failed.id, "failed"],
        [first.id, "failed"],
        [second.id, "skipped"],
        [given.id, "cancelled"],
        [expiring.id, "expired"],
      ]);
      const [completed, failing, , skipped, cancelled] = answer.events;
      assert.deepEqual(
        { ...completed, cursor: "" },
        {
          cursor: "",
          id: done.id,
          task: "work",
          state: "completed",
          attempt: 1,
          fence: ran.fence,
          time: completedAt,
          startedAt: completedAt - 200,
          reason: undefined,
          error: undefined,
        },
      );
      assert.equal(failing?.fence, failure.fence);
      assert.equal(text(failing?.error), "boom");
      const large = context.job();
      await context.enqueue(large);
      await context.runToFailure(large.id, "x".repeat(FEED_ERROR_BYTES + 1));
      const [tooLarge] = (await read(context, answer.cursor)).events;
      assert.deepEqual([tooLarge?.state, tooLarge?.error], ["failed", undefined]);
      assert.equal(skipped?.reason, "failed");
      assert.equal(cancelled?.reason, "revoked");
    },
  ),

  promise(
    "the feed begins with its first reader, and goes on behind any cursor, for any connection",
    async (context) => {
      const jobs = context.jobs(6);
      await context.enqueue(...jobs);
      await context.runToEnd(jobs[0].id);
      assert.deepEqual((await read(context, "start")).events, [], "nobody followed");
      const second = await context.second();
      for (const { id } of jobs.slice(1, 4)) await context.runToEnd(id);
      // Several in one step have a cursor each.
      const runs = await context.claim({ n: 2 });
      const settled = runs.map((run) => context.settlement(run, { kind: "completed", result: undefined }));
      await context.step({ settled });
      const whole = await read(context, "start", { storage: second });
      assert.deepEqual(
        ids(whole.events),
        [...jobs.slice(1, 4), ...runs].map(({ id }) => id),
      );
      assert.equal(whole.cursor, whole.events.at(-1)?.cursor);
      for (const [index, { cursor }] of whole.events.entries()) {
        const rest = await read(context, cursor, { storage: index % 2 === 0 ? second : context.storage });
        assert.deepEqual(rest.events, whole.events.slice(index + 1));
        assert.equal(rest.cursor, whole.cursor);
      }
      const page = await read(context, "start", { limit: 2 });
      assert.deepEqual(page.events, whole.events.slice(0, 2));
      assert.deepEqual((await read(context, page.cursor, { limit: 2 })).events, whole.events.slice(2, 4));
      assert.deepEqual(await read(context, "now"), { events: [], cursor: whole.cursor });
    },
  ),

  promise(
    "what several connections settle at once is in the feed once and in an order that stays",
    async (context) => {
      const start = await follow(context);
      const jobs = context.jobs(60);
      await context.enqueue(...jobs);
      const runs = await context.claim({ n: jobs.length });
      const storages = [context.storage, await context.second()];
      const { queue, now } = context;
      const settle = (run: ClaimedJob, storage: StorageContract | undefined): Promise<unknown> =>
        (storage ?? context.storage).step({
          queue,
          now,
          owner: "owner-1",
          request: context.nextRequest(),
          tasks: [],
          begun: [],
          settled: [context.settlement(run, { kind: "completed", result: undefined })],
          claim: undefined,
        });
      // Read while they settle, a few at a time, by one reader after the other.
      const settling = Promise.all(runs.map((run, index) => settle(run, storages[index % 2])));
      const seen: StoredEvent[] = [];
      for (let cursor = start; seen.length < jobs.length;) {
        const storage = storages[seen.length % 2] ?? context.storage;
        const page = await storage.events({ queue, now, from: cursor, limit: 3 });
        seen.push(...page.events);
        cursor = page.cursor;
      }
      await settling;
      assert.deepEqual(await readAll(context, start), seen);
      assert.deepEqual(ids(seen).toSorted(), jobs.map(({ id }) => id).toSorted());
    },
  ),

  promise("members that a failed group takes with it are in the feed, each once", async (context) => {
    const start = await follow(context);
    const failing = context.job();
    const members = Array.from({ length: CONSEQUENCES_PER_STEP + 100 }, () => context.job());
    const group = context.group([failing, ...members]);
    const end = { ...context.job(), after: [{ source: group.end, on: "completed" }] } as const;
    await context.enqueue({ ...group, end: end.id, jobs: [...group.jobs, end] });
    await context.runToFailure(failing.id);
    // What is not written down yet follows with later steps.
    for (let step = 0; step < 3; step += 1) await context.claimStep();
    const events = await readAll(context, start);
    const expected = [failing, ...members, end].map(({ id }) => id);
    assert.deepEqual(ids(events).toSorted(), expected.toSorted());
    assert.equal(events[0]?.id, failing.id);
    assert.ok(events.slice(1).every(({ state, attempt }) => state === "skipped" && attempt === 0));
  }),

  promise("a job that is retried by hand is in the feed again when it is final again", async (context) => {
    const start = await follow(context);
    const [first, second] = context.jobs(2);
    await context.enqueue(chain(first, second));
    const failure = await context.runToFailure(first.id);
    const change = { kind: "retry" } as const;
    await context.storage.amend({ queue: context.queue, now: context.now, ids: [first.id], change });
    const success = await context.runToEnd(first.id);
    await context.runToEnd(second.id);
    const events = await readAll(context, start);
    assert.deepEqual(
      events.map(({ id, state, attempt }) => [id, state, attempt]),
      [
        [first.id, "failed", 1],
        [second.id, "skipped", 0],
        [first.id, "completed", 2],
        [second.id, "completed", 1],
      ],
    );
    assert.deepEqual([events[0]?.fence, events[2]?.fence], [failure.fence, success.fence]);
  }),

  promise(
    "an event of the feed outlives its job",
    async (context) => {
      await context.open(context.queue, { completed: { for: 0, max: 0 }, failed: { for: 0, max: 0 } });
      const start = await follow(context);
      const [done, failed] = context.jobs(2);
      await context.enqueue(done, failed);
      const [first, second] = [await context.claimOne(done.id), await context.claimOne(failed.id)];
      // By then a step purges by the way: what it settles is gone with it.
      context.advance(2_000);
      await context.complete(first);
      context.advance(2_000);
      await context.fail(second, "boom");
      context.advance(1);
      await context.storage.purge({ queue: context.queue, limit: 10, now: context.now });
      assert.deepEqual(await context.states(done.id, failed.id), [undefined, undefined]);
      const { events } = await read(context, start);
      assert.deepEqual(
        events.map(({ id, state, error }) => [id, state, error && text(error)]),
        [
          [done.id, "completed", undefined],
          [failed.id, "failed", "boom"],
        ],
      );
    },
    { unrepeated: "a job that is kept for no time is unknown to the repeat of what ended it" },
  ),

  promise(
    "the feed lets go of events after seven days, and a cursor from before rejects with TASKQ_EVENTS_LOST",
    async (context) => {
      const start = await follow(context);
      const [early, late, last] = context.jobs(3);
      await context.enqueue(early, late, last);
      await context.runToEnd(early.id);
      const { cursor } = await read(context, start);
      context.advance(FEED_KEPT_FOR - DAY);
      assert.equal((await read(context, start)).events.length, 1);
      await context.runToEnd(late.id);
      context.advance(2 * DAY);
      await context.runToEnd(last.id);
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, start));
      assert.deepEqual(
        (await read(context, cursor)).events.map(({ id }) => id),
        [late.id, last.id],
      );
      assert.deepEqual(await read(context, "start"), await read(context, cursor));
    },
  ),

  promise(
    "a feed that nobody reads for seven days ends within a day, and begins anew without the events between",
    async (context) => {
      await follow(context);
      const [heard, late, later, missed, again] = context.jobs(5);
      await context.enqueue(heard, late, later, missed, again);
      await context.runToEnd(heard.id);
      const { cursor } = await read(context, "start");
      context.advance(FEED_KEPT_FOR - 1);
      await context.runToEnd(late.id);
      const page = await read(context, cursor);
      assert.deepEqual(ids(page.events), [late.id]);
      context.advance(FEED_KEPT_FOR - 1);
      await context.runToEnd(later.id);
      assert.deepEqual(ids((await read(context, page.cursor)).events), [later.id]);
      context.advance(FEED_KEPT_FOR + DAY + 1);
      await context.runToEnd(missed.id);
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, page.cursor));
      const anew = await read(context, "start");
      assert.deepEqual(anew.events, []);
      await context.runToEnd(again.id);
      assert.deepEqual(ids((await read(context, anew.cursor)).events), [again.id]);
    },
  ),

  promise(
    "a flush empties the feed, and a cursor from before rejects with TASKQ_EVENTS_LOST",
    async (context) => {
      const start = await follow(context);
      const [before, behind] = context.jobs(2);
      await context.enqueue(before);
      await context.runToEnd(before.id);
      const { cursor } = await read(context, start);
      await context.storage.purge({ queue: context.queue, limit: 100, everything: true, now: context.now });
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, start));
      assert.deepEqual((await read(context, "start")).events, []);
      await context.enqueue(behind);
      await context.runToEnd(behind.id);
      assert.deepEqual(
        (await read(context, cursor)).events.map(({ id }) => id),
        [behind.id],
      );
    },
  ),

  promise(
    "a cursor of another event that had the same number rejects with TASKQ_EVENTS_LOST",
    async (context) => {
      await follow(context);
      const [first, second] = context.jobs(2);
      await context.enqueue(first, second);
      await context.runToEnd(first.id);
      context.now += 1;
      await context.runToEnd(second.id);
      const [told, last] = (await read(context, "start")).events;
      const [one = "", two = ""] = [told?.cursor, last?.cursor].map((cursor = "") => cursor);
      // As it was told before the storage went back to an older copy, and another job became final instead.
      const other = one.replace(/\d+$/, String(context.now + 7));
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, other));
      assert.deepEqual(
        (await read(context, one)).events.map(({ cursor }) => cursor),
        [two],
      );
      assert.equal((await read(context, two)).cursor, two);
    },
  ),

  promise(
    "a cursor of another feed rejects with TASKQ_EVENTS_LOST, and what is no cursor with TASKQ_OPTION",
    async (context) => {
      const cursor = await follow(context);
      const tag = cursor.slice(0, cursor.indexOf("."));
      const wrong = [
        "",
        "1",
        "oldest",
        "START",
        "x.",
        ".1",
        `${tag}.-1`,
        `${tag}.01`,
        `${tag}.1e3`,
        `${tag}.1 `,
      ];
      for (const from of wrong) await context.rejects("TASKQ_OPTION", () => read(context, from));
      for (const from of ["x.0", `${tag}.1`]) {
        await context.rejects("TASKQ_EVENTS_LOST", () => read(context, from));
      }
      await context.open("another", RETENTION);
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, cursor));
      await follow(context);
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, cursor));
    },
  ),

  promise("the feed moves with its queue, and cursors go on behind where they were", async (context) => {
    const start = await follow(context);
    const [done, failed, skipped, later] = context.jobs(4);
    await context.enqueue(done, chain(failed, skipped), later);
    await context.runToEnd(done.id);
    const middle = (await read(context, start)).cursor;
    await context.runToFailure(failed.id);
    const before = await readAll(context, start);
    await move(context);
    assert.deepEqual(await readAll(context, start), before);
    await context.runToEnd(later.id);
    const behind = await readAll(context, middle);
    assert.deepEqual(behind.slice(0, 2), before.slice(1));
    assert.deepEqual(ids(behind), [failed.id, skipped.id, later.id]);
  }),

  promise(
    "a queue that leaves tells what its feed has, and then rejects with TASKQ_MOVED",
    async (context) => {
      const start = await follow(context);
      const job = context.job();
      await context.enqueue(job);
      await context.runToEnd(job.id);
      const { departure } = await exportAll(context);
      assert.equal((await read(context, start)).events.length, 1);
      assert.deepEqual((await read(context, "now")).events, []);
      await finish(context, departure);
      const { events, cursor } = await read(context, start);
      assert.deepEqual(ids(events), [job.id]);
      await context.rejects("TASKQ_MOVED", () => read(context, cursor));
      await context.rejects("TASKQ_MOVED", () => read(context, "now"));
      await cancel(context, ELSEWHERE);
      assert.deepEqual(await read(context, "now"), { events: [], cursor });
    },
  ),
]);
