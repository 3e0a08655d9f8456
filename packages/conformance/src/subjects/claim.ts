import assert from "node:assert/strict";
import type { NewJob } from "@taskq/core/storage";
import { chain } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";

const DOOR = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" } as const;
const ids = (jobs: readonly { readonly id: string }[]): string[] => jobs.map((job) => job.id);

export const claim: Subject = subject("step: claiming", [
  promise(
    "jobs are claimed by priority, then the instant they became due, then the order of enqueue",
    async (context) => {
      const start = context.now;
      for (const queue of ["one-by-one", "at-once"]) {
        context.now = start;
        await context.open(queue);
        const first = context.job();
        const waits = context.job({ delay: 100 });
        const urgent = context.job({ priority: 5 });
        const low = context.job({ priority: -1 });
        const behind = context.job();
        await context.enqueue(first, waits);
        await context.enqueue(urgent, low, behind);
        context.now = start + 50;
        const named = context.job({ id: "aaa" });
        await context.enqueue(named);
        context.now = start + 60;
        const next = context.job({ id: "AAA" });
        await context.enqueue(next);
        context.now = start + 100;
        const same = context.job();
        const urgentToo = context.job({ priority: 5 });
        await context.enqueue(same, urgentToo);
        context.now = start + 200;
        const expected = [urgent, urgentToo, first, behind, named, next, waits, same, low];
        const claimed: string[] = [];
        if (queue === "at-once") claimed.push(...ids(await context.claim({ n: 20 })));
        else for (const _ of expected) claimed.push((await context.claimOne()).id);
        assert.deepEqual(claimed, ids(expected), queue);
        assert.deepEqual(await context.claim({ n: 1 }), []);
      }
      const [root, follower, between] = context.jobs(3);
      await context.enqueue(chain(root, follower));
      const run = await context.claimOne(root.id);
      context.advance(10);
      await context.enqueue(between);
      context.advance(10);
      await context.complete(run);
      assert.deepEqual(
        ids(await context.claim({ n: 9 })),
        [between.id, follower.id],
        "a stage becomes due when the one before completes",
      );
    },
  ),

  promise("a job with an id of its own keeps its place among others of one millisecond", async (context) => {
    let names = 99;
    const some = (): NewJob[] =>
      [false, true, false, true, true, false].map((named) =>
        // Each before the others where names are compared.
        context.job(named ? { id: `name ${(names -= 1)}` } : {}),
      );
    const alone = some();
    for (const job of alone) await context.enqueue(job);
    const together = some();
    await context.enqueue(...together);
    // Those that were made some milliseconds before they are stored.
    context.advance(1);
    const late = some();
    context.advance(2);
    for (const job of late) await context.enqueue(job);
    const expected = ids([...alone, ...together, ...late]);
    assert.deepEqual(ids(await context.claim({ n: 9 })), expected.slice(0, 9));
    assert.deepEqual(ids(await context.claim({ n: 9 })), expected.slice(9));
  }),

  promise("priorities reach over the whole int32", async (context) => {
    const priorities = [0, -(2 ** 31), 2 ** 31 - 1, -1, 2 ** 30, 1, -(2 ** 30), 2 ** 31 - 2, 1 - 2 ** 31];
    const jobs = priorities.map((priority) => context.job({ priority }));
    await context.enqueue(...jobs);
    for (const job of jobs) assert.equal((await context.jobRecord(job.id)).priority, job.priority);
    const claimed = await context.claim({ n: 20 });
    assert.deepEqual(
      claimed.map((job) => job.priority),
      priorities.toSorted((a, b) => b - a),
    );
  }),

  promise("a job is claimed by one owner only", async (context) => {
    const jobs = context.jobs(30);
    await context.enqueue(...jobs);
    const second = await context.second();
    const owners = Array.from({ length: 12 }, (_, index) => `owner ${index}`);
    const answers = await Promise.all(
      owners.map((owner, index) =>
        (index % 2 === 0 ? context.storage : second).step({
          queue: context.queue,
          owner,
          request: 1,
          tasks: ["work"],
          settled: [],
          begun: [],
          claim: { begin: 4, ahead: 0, lease: 30_000 },
          now: context.now,
        }),
      ),
    );
    const claimed = answers.flatMap((answer) => ids(answer.claimed));
    assert.deepEqual(claimed.toSorted(), ids(jobs).toSorted());
    for (const [index, answer] of answers.entries()) {
      for (const { id } of answer.claimed) assert.equal((await context.jobRecord(id)).owner, owners[index]);
    }
  }),

  promise("fences grow with every claim", async (context) => {
    const jobs = context.jobs(6);
    await context.enqueue(...jobs);
    const second = await context.second();
    let highest = 0;
    for (let round = 1; round <= 6; round += 1) {
      const storage = round % 2 === 0 ? context.storage : second;
      const { claimed } = await storage.step({
        queue: context.queue,
        owner: "the owner",
        request: round,
        tasks: ["work"],
        settled: [],
        begun: [],
        claim: { begin: 2, ahead: 0, lease: 30_000 },
        now: context.now,
      });
      assert.equal(claimed.length, 2);
      const fences = claimed.map((job) => job.fence);
      for (const fence of fences) {
        assert.ok(Number.isSafeInteger(fence) && fence > highest, `${fence} comes after ${highest}`);
      }
      highest = Math.max(...fences);
      for (const run of claimed) {
        assert.equal((await context.jobRecord(run.id)).fence, run.fence);
        await context.settle(run, { kind: "retry", error: undefined, due: context.now, counts: false });
      }
      context.advance(1);
    }
  }),

  promise("a job that becomes due is claimed in its turn", async (context) => {
    const [early, late] = [context.job({ delay: 100 }), context.job({ delay: 300 })];
    const urgent = context.job({ delay: 300, priority: 1 });
    await context.enqueue(late, early, urgent);
    context.advance(99);
    assert.deepEqual(await context.claim({ n: 9 }), []);
    context.advance(1);
    assert.deepEqual(ids(await context.claim({ n: 9 })), [early.id]);
    context.advance(300);
    const fresh = context.job();
    await context.enqueue(fresh);
    assert.deepEqual(ids(await context.claim({ n: 9 })), [urgent.id, late.id, fresh.id]);
  }),

  promise("a claim answers when the next job becomes due", async (context) => {
    const start = context.now;
    assert.equal((await context.claimStep()).nextDue, undefined);
    await context.enqueue(context.job({ delay: 500 }), context.job({ delay: 300 }), ...context.jobs(2));
    const first = await context.claimStep({ n: 1 });
    assert.equal(first.more, true, "one more is ready");
    const second = await context.claimStep({ n: 5 });
    assert.equal(second.claimed.length, 1);
    assert.deepEqual([second.more, second.nextDue], [false, start + 300]);
    context.now = start + 300;
    const third = await context.claimStep({ n: 5 });
    assert.deepEqual([third.claimed.length, third.nextDue], [1, start + 500]);
    const due = start + 400;
    await context.settle(at(third.claimed, 0), { kind: "retry", error: undefined, due, counts: true });
    assert.equal((await context.claimStep()).nextDue, due);
  }),

  promise("a repeated claim answers the same jobs", async (context) => {
    await context.enqueue(...context.jobs(6));
    const request = context.nextRequest();
    const first = await context.claimStep({ n: 3, request });
    assert.equal(first.claimed.length, 3);
    const again = await context.claimStep({ n: 3, request });
    assert.deepEqual(again.claimed, first.claimed);
    const other = await context.claimStep({ n: 1, request, owner: "owner-2" });
    assert.equal(other.claimed.length, 1);
    assert.ok(
      !ids(first.claimed).includes(at(other.claimed, 0).id),
      "another owner's number is another request",
    );
    assert.equal(await context.complete(at(first.claimed, 0), "done", { owner: "owner-2" }), "applied");
    const third = await context.claimStep({ n: 3, request });
    assert.deepEqual(ids(third.claimed), ids(first.claimed.slice(1)), "what is still its own");
    const next = await context.claimStep({ n: 9 });
    assert.equal(next.claimed.length, 2, "a new number claims what is left");
  }),

  promise(
    "ready jobs that are not claimed ahead are never said not to have been passed over",
    async (context) => {
      for (let turn = 0; turn < 3; turn += 1) {
        await context.enqueue(...context.jobs(4));
        const ahead = await context.claimStep({ n: 2, ahead: 1 });
        assert.equal(ahead.claimed.length, 3);
        await context.enqueue(context.job({ priority: 1, gates: [DOOR] }));
        const passed = await context.claimStep({ n: 0, ahead: 2 });
        assert.deepEqual([passed.claimed.length, passed.passedOver ?? true], [1, true]);
        for (const job of [...ahead.claimed, ...passed.claimed]) await context.complete(job);
        await context.complete(await context.claimOne());
      }
    },
  ),

  promise(
    "the last claim of each lane is answered again, whatever the others have claimed since",
    async (context) => {
      const lanes = context.storage.lanes ?? 1;
      await context.enqueue(...context.jobs(lanes * 2 + 1));
      const claims = [];
      for (let lane = 0; lane < lanes; lane += 1) {
        const asked = { n: 2, request: context.nextRequest(), lane };
        claims.push({ asked, answer: await context.claimStep(asked) });
      }
      for (const { asked, answer } of claims) {
        assert.equal(answer.claimed.length, 2);
        assert.deepEqual((await context.claimStep(asked)).claimed, answer.claimed);
      }
      assert.equal(new Set(claims.flatMap(({ answer }) => ids(answer.claimed))).size, lanes * 2);
      for (const { asked } of claims) {
        const next = await context.claimStep({ n: 1, request: context.nextRequest(), lane: asked.lane });
        assert.equal(next.claimed.length, asked.lane === 0 ? 1 : 0, "a new number claims what is left");
      }
    },
  ),
]);
