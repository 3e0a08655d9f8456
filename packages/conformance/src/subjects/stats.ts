import assert from "node:assert/strict";
import {
  CONSEQUENCES_PER_STEP,
  Histogram,
  STATS_KEPT,
  STATS_MINUTE,
  type ClaimedJob,
  type HistogramData,
  type StatsAnswer,
  type StorageContract,
} from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import { LEASE, type Context } from "../context.js";
import { chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

function stats({ storage, queue, now }: Context, since = 0): Promise<StatsAnswer> {
  return storage.stats({ queue, since, now });
}

/** A histogram of these durations. */
function of(...durations: readonly number[]): HistogramData {
  const histogram = new Histogram();
  for (const duration of durations) histogram.record(duration);
  return histogram.data();
}

const NOTHING = { completed: 0, failed: 0, retried: 0 };

/** One step of another connection. */
async function stepOf(
  context: Context,
  storage: StorageContract,
  options: { readonly settles?: ClaimedJob; readonly claims?: boolean },
): Promise<readonly ClaimedJob[]> {
  const { settles, claims } = options;
  const answer = await storage.step({
    queue: context.queue,
    owner: "other",
    request: context.nextRequest(),
    tasks: ["work"],
    settled:
      settles === undefined ? [] : [context.settlement(settles, { kind: "completed", result: undefined })],
    begun: [],
    claim: claims === true ? { begin: 1, ahead: 0, lease: LEASE } : undefined,
    now: context.now,
  });
  assert.deepEqual(answer.settled, settles === undefined ? [] : ["applied"]);
  return answer.claimed;
}

export const measuring: Subject = subject("stats", [
  promise(
    "statistics tell how runs ended, how long they waited and how long they took, by task and minute",
    async (context) => {
      const first = context.now;
      const [completed, failed, retried, cancelled, released] = context.jobs(5);
      const mail = context.job({ task: "mail", delay: 30 });
      await context.enqueue(completed, failed, retried, cancelled, released, mail);
      assert.deepEqual(await stats(context), { oldestDue: first, rows: [] });
      context.advance(50);
      const runs = await context.claim({ n: 6 });
      const startedAt = context.now;
      context.advance(7);
      const run = (id: string): ClaimedJob =>
        at(
          runs.filter((candidate) => candidate.id === id),
          0,
        );
      await context.complete(run(completed.id), "done", { startedAt });
      await context.fail(run(failed.id), "boom", { startedAt: startedAt + 2 });
      const due = context.now + STATS_MINUTE;
      const retry = { kind: "retry", error: bytes("boom"), due, counts: true } as const;
      await context.settle(run(retried.id), retry, { startedAt });
      await context.settle(run(cancelled.id), { kind: "cancelled", reason: "no need" }, { startedAt });
      await context.settle(run(released.id), { kind: "released" }, { startedAt });
      context.advance(1_000);
      await context.complete(run(mail.id), undefined, { startedAt });
      const work = { task: "work", minute: first, completed: 1, failed: 1, retried: 1 };
      const rows = [
        { ...NOTHING, task: "mail", minute: first, completed: 1, wait: of(20), run: of(1_007) },
        { ...work, wait: of(50, 52, 50), run: of(7, 5, 7) },
      ];
      assert.deepEqual((await stats(context)).rows, rows);
      context.advance(STATS_MINUTE);
      await context.runToEnd(retried.id);
      const last = { ...NOTHING, task: "work", minute: first + STATS_MINUTE, completed: 1 };
      const late = { ...last, wait: of(context.now - due), run: of(0) };
      assert.deepEqual((await stats(context)).rows, [...rows, late]);
      assert.deepEqual((await stats(context, first + STATS_MINUTE - 1)).rows, [...rows, late]);
      assert.deepEqual((await stats(context, first + STATS_MINUTE)).rows, [late]);
      assert.deepEqual((await stats(context, context.now + STATS_MINUTE)).rows, []);
    },
  ),

  promise("a settlement that is repeated or lost is in the statistics no more than once", async (context) => {
    const [job, other] = context.jobs(2);
    await context.enqueue(job, other);
    const run = await context.claimOne(job.id);
    const old = await context.claimOne(other.id);
    await context.settle(old, { kind: "released" });
    const again = await context.claimOne(other.id);
    for (let round = 0; round < 3; round += 1) {
      await context.complete(run);
      await context.complete(old);
      context.advance(1_000);
    }
    await context.complete(again);
    await context.complete(again);
    assert.equal(await context.complete({ ...again, fence: again.fence + 1 }), "lost");
    assert.equal(await context.complete({ ...old, fence: old.fence - 1 }), "lost");
    const { rows } = await stats(context);
    assert.deepEqual(
      rows.map(({ task, completed }) => [task, completed]),
      [["work", 2]],
    );
  }),

  promise("statistics that several connections gather add up", async (context) => {
    const second = await context.second();
    const runs: ClaimedJob[] = [];
    await context.enqueue(...context.jobs(6, { task: "work" }));
    for (let count = 0; count < 3; count += 1) {
      const own = await context.claimOne();
      runs.push(...(await stepOf(context, second, { claims: true })));
      context.advance(400);
      await context.complete(own);
      await stepOf(context, second, { settles: at(runs, count) });
    }
    // What is left is written with the first step that a second has passed by.
    context.advance(1_000);
    await context.claim();
    await stepOf(context, second, { claims: true });
    const { queue, now } = context;
    for (const storage of [context.storage, second]) {
      const { rows } = await storage.stats({ queue, since: 0, now });
      const wait = of(400, 400, 800, 800, 1_200, 1_200);
      const numbers = { ...NOTHING, task: "work", minute: rows[0]?.minute, completed: 6 };
      assert.deepEqual(rows, [{ ...numbers, wait, run: of(0, 0, 0, 0, 0, 0) }]);
    }
    const late = context.job();
    await context.enqueue(late);
    await context.runToEnd(late.id);
    await context.step({ last: true });
    const { rows } = await second.stats({ queue, since: 0, now });
    assert.equal(rows[0]?.completed, 7);
  }),

  promise("statistics tell since when the job that waits longest has been due", async (context) => {
    const oldestDue = async (): Promise<number | undefined> => (await stats(context)).oldestDue;
    const first = context.now;
    await context.enqueue(context.job({ delay: 500 }));
    assert.equal(await oldestDue(), undefined);
    context.advance(500);
    assert.equal(await oldestDue(), first + 500);
    await context.runToEnd((await context.enqueue(context.job({ priority: 3 }))).flows[0]?.id ?? "");
    context.advance(500);
    await context.enqueue(context.job({ priority: 9 }), context.job({ priority: -9 }));
    assert.equal(await oldestDue(), first + 500);
    const gates = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
    const [holder, parked] = context.jobs(2, { gates });
    await context.claim({ n: 3 });
    assert.equal(await oldestDue(), undefined);
    await context.enqueue(holder, parked);
    context.advance(10);
    await context.claim({ n: 2 });
    assert.equal(await context.state(parked.id), "parked");
    assert.equal(await oldestDue(), first + 1_000);
  }),

  promise("statistics tell of no job as waiting that counts as skipped", async (context) => {
    const gates = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
    const holder = context.job({ gates });
    const failing = context.job({ priority: 9 });
    await context.enqueue(holder);
    await context.claimOne(holder.id);
    // These are written down as skipped at once, and those behind them later.
    const many = context.jobs(CONSEQUENCES_PER_STEP + 10);
    const [parked, later] = [context.job({ gates }), context.job({ delay: 500 })];
    await context.enqueue(context.group([failing, ...many, parked, later]));
    assert.deepEqual(await context.claim({ ids: [parked.id] }), []);
    context.advance(500);
    await context.runToFailure(failing.id);
    assert.deepEqual(await context.states(parked.id, later.id), ["skipped", "skipped"]);
    const { storage, queue, now } = context;
    const { oldestDue, oldestDueByTask } = await storage.stats({ queue, since: now, byTask: true, now });
    assert.deepEqual([oldestDue, oldestDueByTask], [undefined, {}]);
    await context.enqueue(context.group(context.jobs(2)));
    assert.equal((await stats(context)).oldestDue, now, "those of another group wait");
  }),

  promise(
    "statistics tell of each task since when the job that waits longest has been due",
    async (context) => {
      const oldest = async (): Promise<unknown> => {
        const request = { queue: context.queue, since: context.now, byTask: true, now: context.now };
        return (await context.storage.stats(request)).oldestDueByTask;
      };
      const first = context.now;
      assert.deepEqual(await oldest(), {});
      const gates = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
      const [holder, parked] = context.jobs(2, { task: "parked", gates });
      const late = [context.job({ task: "late", delay: 500 }), context.job({ task: "late", delay: 550 })];
      await context.enqueue(...late, holder, parked);
      await context.claim({ n: 2, tasks: ["parked", "late"] });
      context.advance(400);
      const [done, blocked] = context.jobs(2, { task: "flow" });
      const [failing, given] = context.jobs(2, { task: "group", priority: 9 });
      await context.enqueue(chain(done, blocked), context.group([failing, given]));
      assert.deepEqual(await oldest(), { parked: first, flow: first + 400, group: first + 400 });
      await context.runToEnd(done.id);
      await context.runToFailure(failing.id);
      context.advance(200);
      assert.deepEqual(await oldest(), { late: first + 500, parked: first, flow: first + 400 });
      const { oldestDueByTask } = await stats(context);
      assert.equal(oldestDueByTask, undefined, "it was not asked for");
    },
  ),

  promise("statistics are kept for 48 hours", async (context) => {
    const first = context.now;
    for (let turn = 0; turn < 3; turn += 1) {
      const job = context.job();
      await context.enqueue(job);
      await context.runToEnd(job.id);
      context.advance(STATS_KEPT / 2);
    }
    const minutes = (await stats(context)).rows.map(({ minute }) => minute);
    assert.deepEqual(minutes, [first + STATS_KEPT / 2, first + STATS_KEPT]);
    assert.equal((await stats(context, first)).rows.length, 2);
    // Also where nothing comes that would let them go.
    context.advance(STATS_KEPT / 2);
    assert.deepEqual(
      (await stats(context)).rows.map(({ minute }) => minute),
      [first + STATS_KEPT],
    );
    context.advance(STATS_KEPT);
    assert.deepEqual((await stats(context)).rows, []);
  }),
]);
