import assert from "node:assert/strict";
import type { QueuePhase, RunReference } from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import { chain, flowOf, type Part } from "../flows.js";
import { listAll } from "../invariants.js";
import {
  begin,
  page,
  finish,
  cancel,
  comeIn,
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
    "a queue that leaves takes what its runs enqueue and control, and from nobody else",
    async (context) => {
      const { storage, queue } = context;
      const job = context.job();
      await context.enqueue(job);
      const { id, fence } = await context.claimOne(job.id);
      const enqueue = (run: RunReference | undefined, ...parts: readonly Part[]): Promise<unknown> =>
        storage.enqueue({ queue, now: context.now, run, flows: parts.map(flowOf) });
      const pause = (run: RunReference | undefined): Promise<unknown> =>
        storage.control({ queue, now: context.now, run, task: "other", change: { kind: "pause" } });
      const [open, plain, later] = [context.job(), context.job(), context.job({ delay: 500 })];
      const [first, second] = context.jobs(2);
      await enqueue({ id, fence }, open);
      await begin(context);
      await enqueue({ id, fence }, plain, later);
      await enqueue({ id, fence }, chain(first, second));
      const refused = context.job();
      for (const run of [undefined, { id, fence: fence + 1 }, { id: open.id, fence }]) {
        await context.rejects("TASKQ_MOVED", () => enqueue(run, refused));
        await context.rejects("TASKQ_MOVED", () => pause(run));
      }
      assert.deepEqual(await pause({ id, fence }), { changed: true, paused: true, revoked: false });
      await context.settle({ id, fence }, { kind: "completed", result: undefined });
      await context.rejects("TASKQ_MOVED", () => enqueue({ id, fence }, refused));
      await context.rejects("TASKQ_MOVED", () => pause({ id, fence }));
      assert.equal((await begin(context)).still, true);
      assert.deepEqual(await context.states(open.id, plain.id, later.id, first.id, second.id, refused.id), [
        "ready",
        "ready",
        "scheduled",
        "ready",
        "blocked",
        undefined,
      ]);
      await cancel(context);
      const { paused } = await storage.control({
        queue,
        now: context.now,
        task: "other",
        change: { kind: "inspect" },
      });
      assert.equal(paused, true);
    },
  ),

  promise("a queue tells where it stands in a move", async (context) => {
    const { storage, queue } = context;
    const tells = async (phase: QueuePhase): Promise<void> =>
      assert.equal(await storage.phase({ queue }), phase);
    await tells("open");
    const { departure = "" } = await begin(context);
    await tells("leaving");
    await cancel(context);
    await tells("open");
    const again = await begin(context);
    assert.notEqual(again.departure, departure);
    await context.rejects("TASKQ_MOVED", () => comeIn(context, "from afar"));
    await finish(context, again.departure ?? "");
    await tells("left");
    assert.deepEqual((await begin(context)).departure, again.departure);
    await comeIn(context, again.departure ?? "");
    await tells("arriving");
    await context.rejects("TASKQ_STORAGE", () => storage.phase({ queue: "another" }));
  }),

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
