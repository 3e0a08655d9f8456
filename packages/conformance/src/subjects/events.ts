import assert from "node:assert/strict";
import { FEED_KEPT_FOR, type EventsAnswer, type StorageContract } from "@taskq/core/storage";
import { text } from "../bytes.js";
import { RETENTION, type Context } from "../context.js";
import { chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";

const DAY = 86_400_000;

/** One read of the feed. */
function read(
  context: Context,
  from: string | undefined,
  options: { readonly limit?: number; readonly storage?: StorageContract } = {},
): Promise<EventsAnswer> {
  const { limit = 100, storage = context.storage } = options;
  return storage.events({ queue: context.queue, from, limit, now: context.now });
}

/** Follows the queue, and answers the cursor where the feed begins. */
async function follow(context: Context): Promise<string> {
  const { events, cursor } = await read(context, undefined);
  assert.deepEqual(events, [], "from now on, there is nothing yet");
  return cursor;
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
      assert.equal(skipped?.reason, "failed");
      assert.equal(cancelled?.reason, "revoked");
      assert.deepEqual((await read(context, answer.cursor)).events, []);
    },
  ),

  promise(
    "the feed begins with its first reader, and goes on behind any cursor, for any process",
    async (context) => {
      const jobs = context.jobs(6);
      await context.enqueue(...jobs);
      await context.runToEnd(jobs[0].id);
      assert.deepEqual((await read(context, "oldest")).events, [], "nobody followed");
      const second = await context.second();
      for (const { id } of jobs.slice(1, 4)) await context.runToEnd(id);
      // Several in one step have a cursor each.
      const runs = await context.claim({ n: 2 });
      const settled = runs.map((run) => context.settlement(run, { kind: "completed", result: undefined }));
      await context.step({ settled });
      const whole = await read(context, "oldest", { storage: second });
      assert.deepEqual(
        whole.events.map(({ id }) => id),
        [...jobs.slice(1, 4), ...runs].map(({ id }) => id),
      );
      assert.equal(whole.cursor, whole.events.at(-1)?.cursor);
      for (const [index, { cursor }] of whole.events.entries()) {
        const rest = await read(context, cursor, { storage: index % 2 === 0 ? second : context.storage });
        assert.deepEqual(rest.events, whole.events.slice(index + 1));
        assert.equal(rest.cursor, whole.cursor);
      }
      const page = await read(context, "oldest", { limit: 2 });
      assert.deepEqual(page.events, whole.events.slice(0, 2));
      assert.deepEqual((await read(context, page.cursor, { limit: 2 })).events, whole.events.slice(2, 4));
      assert.deepEqual(await read(context, undefined), { events: [], cursor: whole.cursor });
    },
  ),

  promise(
    "an event of the feed outlives its job",
    async (context) => {
      await context.open(context.queue, { completed: { for: 0, max: 0 }, failed: { for: 0, max: 0 } });
      const start = await follow(context);
      const [done, failed] = context.jobs(2);
      await context.enqueue(done, failed);
      // By then a step purges by the way: what it settles is gone with it.
      context.advance(2_000);
      await context.runToEnd(done.id);
      context.advance(2_000);
      await context.runToFailure(failed.id, "boom");
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
      assert.deepEqual(await read(context, "oldest"), await read(context, cursor));
    },
  ),

  promise(
    "a feed that nobody read for seven days ends, and begins anew without the events between",
    async (context) => {
      const start = await follow(context);
      const [heard, missed, again] = context.jobs(3);
      await context.enqueue(heard, missed, again);
      await context.runToEnd(heard.id);
      const { cursor } = await read(context, start);
      context.advance(FEED_KEPT_FOR + 1);
      await context.runToEnd(missed.id);
      await context.rejects("TASKQ_EVENTS_LOST", () => read(context, cursor));
      const anew = await read(context, "oldest");
      assert.deepEqual(anew.events, []);
      await context.runToEnd(again.id);
      assert.deepEqual(
        (await read(context, anew.cursor)).events.map(({ id }) => id),
        [again.id],
      );
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
      assert.deepEqual((await read(context, "oldest")).events, []);
      await context.enqueue(behind);
      await context.runToEnd(behind.id);
      assert.deepEqual(
        (await read(context, cursor)).events.map(({ id }) => id),
        [behind.id],
      );
    },
  ),

  promise("a cursor that is none of this queue's rejects with TASKQ_OPTION", async (context) => {
    const cursor = await follow(context);
    const tag = cursor.slice(0, cursor.indexOf("."));
    const wrong = ["", "1", "newest", "x.0", `${tag}.`, `${tag}.1`, `${tag}.-1`, `${tag}.01`, `${tag}.1e3`];
    for (const from of wrong) await context.rejects("TASKQ_OPTION", () => read(context, from));
    await context.open("another", RETENTION);
    await context.rejects("TASKQ_OPTION", () => read(context, cursor));
    await follow(context);
    await context.rejects("TASKQ_OPTION", () => read(context, cursor));
  }),
]);
