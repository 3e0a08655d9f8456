import assert from "node:assert/strict";
import { bytes } from "../bytes.js";
import { listAll } from "../invariants.js";
import {
  begin,
  page,
  finish,
  cancel,
  exportAll,
  refusesWhatIsNew,
  refusesChanges,
  ELSEWHERE,
} from "../moving.js";
import { promise, subject, type Subject } from "../promise.js";

export const leaving: Subject = subject("leaving for another storage", [
  promise(
    "a queue that leaves begins nothing new and rejects with TASKQ_MOVED, but takes what its runs settle",
    async (context) => {
      const [first, second, waiting] = context.jobs(3);
      await context.enqueue(first, second, waiting);
      const [one, two] = [await context.claimOne(first.id), await context.claimOne(second.id)];
      const { phase, active, still } = await begin(context);
      assert.deepEqual([phase, active, still], ["leaving", 2, false]);
      await refusesWhatIsNew(context);
      const renewed = await context.storage.renew({
        queue: context.queue,
        owner: "owner-1",
        lease: 1_000,
        runs: [one, two],
        now: context.now,
      });
      assert.deepEqual(renewed.lost, []);
      assert.equal(await context.complete(one, "done"), "applied");
      const due = context.now;
      assert.equal(
        await context.settle(two, { kind: "retry", error: bytes("again"), due, counts: true }),
        "applied",
      );
      assert.deepEqual(await context.states(first.id, second.id, waiting.id), [
        "completed",
        "ready",
        "ready",
      ]);
    },
  ),

  promise(
    "a queue that leaves is still once nothing runs, and refuses every change from then on",
    async (context) => {
      const [running, waiting] = context.jobs(2);
      await context.enqueue(running, waiting);
      const run = await context.claimOne(running.id);
      const { departure } = await begin(context);
      assert.ok(departure !== undefined, "a leaving has a name");
      await context.rejects("TASKQ_MOVED", () => page(context, departure));
      await context.complete(run);
      const left = await begin(context);
      assert.deepEqual([left.phase, left.still, left.departure], ["leaving", true, departure]);
      await refusesWhatIsNew(context);
      await refusesChanges(context, waiting.id);
      await context.rejects("TASKQ_MOVED", () => page(context, "another departure"));
      assert.equal(await context.state(waiting.id), "ready");
    },
  ),

  promise(
    "pages of a queue that leaves are bounded and answer the same as often as they are asked for",
    async (context) => {
      await context.enqueue(...context.jobs(250));
      const big = "x".repeat(600_000);
      await context.enqueue(context.job({ body: big }), context.job({ body: big }));
      const { departure = "" } = await begin(context);
      const ids: string[] = [];
      let cursor: string | undefined;
      let together = 0;
      do {
        const answer = await page(context, departure, cursor, 10_000);
        assert.deepEqual(await page(context, departure, cursor, 10_000), answer);
        const { records } = answer;
        assert.ok(records.length > 0 && records.length <= 200, `a page of ${records.length} records`);
        const jobs = records.flatMap((record) => (record.kind === "job" ? [record] : []));
        together = Math.max(together, jobs.filter(({ body }) => body.length > 500_000).length);
        ids.push(...jobs.map(({ id }) => id));
        cursor = answer.cursor;
      } while (cursor !== undefined);
      assert.equal(together, 1, "a page of more than 1 MiB");
      const listed = await listAll(context.storage, { queue: context.queue, now: context.now });
      assert.deepEqual(
        ids,
        listed.map(({ id }) => id),
      );
    },
  ),

  promise("a leaving that is taken back opens the queue as it was", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const { departure = "" } = await begin(context);
    const back = await cancel(context);
    assert.deepEqual([back.phase, back.departure], ["open", undefined]);
    await context.rejects("TASKQ_MOVED", () => page(context, departure));
    await context.rejects("TASKQ_MOVED", () => finish(context, departure));
    await context.runToEnd(job.id);
    assert.notEqual((await begin(context)).departure, departure);
    await cancel(context);
  }),

  promise("a queue that has left for one destination leaves for no other", async (context) => {
    await context.enqueue(context.job());
    const { departure } = await exportAll(context);
    await context.rejects("TASKQ_MOVED", () => finish(context, "another departure"));
    const left = await finish(context, departure);
    assert.deepEqual([left.phase, left.destination], ["left", ELSEWHERE]);
    await context.rejects("TASKQ_MOVED", () => finish(context, departure, "another destination"));
    await context.rejects("TASKQ_MOVED", () => cancel(context));
    await context.rejects("TASKQ_MOVED", () => cancel(context, "another destination"));
    await refusesWhatIsNew(context);
    assert.equal((await cancel(context, ELSEWHERE)).phase, "open");
    assert.equal((await context.claim()).length, 1);
  }),
]);
