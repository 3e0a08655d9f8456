import assert from "node:assert/strict";
import type { ClaimedJob, NewGate, NewJob } from "@taskq/core/storage";
import { othersAreClaimedAsFast, parkAll } from "../claims-of-others.js";
import type { Context } from "../context.js";
import { crowdGoesOn } from "../crowd-at-gates.js";
import { promise, subject, type Subject } from "../promise.js";
import { at, exactly } from "../tuple.js";

const lock = (key: string, onBusy: NewGate["onBusy"] = "wait"): NewGate => ({
  kind: "lock",
  key,
  max: 1,
  per: undefined,
  onBusy,
});
const slots = (key: string, max: number): NewGate => ({
  kind: "concurrency",
  key,
  max,
  per: undefined,
  onBusy: "wait",
});
/** Parked, while others are claimed. */
const MANY = 10_000;
const ids = (jobs: readonly { readonly id: string }[]): string[] => jobs.map((job) => job.id);

export const gates: Subject = subject("step: gates", [
  promise("a job whose gate is closed is parked and does not run", async (context) => {
    const [first, second] = context.jobs(2, { gates: [lock("door")] });
    const free = context.job({ gates: [lock("window")] });
    await context.enqueue(first, second, free);
    const { claimed, effects } = await context.claimStep({ n: 5 });
    assert.deepEqual(ids(claimed), [first.id, free.id]);
    const parked = await context.jobRecord(second.id);
    assert.equal(parked.state, "parked");
    assert.ok(parked.gate?.includes("door"), `it is parked under ${parked.gate}`);
    assert.deepEqual(
      effects.map(({ id, kind, gate }) => ({ id, kind, gate })),
      [{ id: second.id, kind: "parked", gate: parked.gate }],
    );
    assert.deepEqual([parked.attempt, parked.fence], [0, 0]);
    context.advance(20_000);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    const late = context.job({ gates: [lock("door")] });
    const { flows } = await context.enqueue(late);
    assert.equal(flows[0]?.status, "stored");
    assert.deepEqual(await context.claim({ n: 5 }), []);
    assert.equal(await context.state(late.id), "parked");
  }),

  promise("a gate is never held by more than its maximum", async (context) => {
    const jobs = context.jobs(12, { gates: [slots("tenant 7", 3)] });
    await context.enqueue(...jobs);
    const second = await context.second();
    let done = 0;
    for (let round = 1; done < jobs.length; round += 1) {
      assert.ok(round <= jobs.length, "jobs behind the gate are never handed out");
      const answers = await Promise.all(
        [context.storage, second, context.storage].map((storage, index) =>
          storage.step({
            queue: context.queue,
            owner: `owner ${index}`,
            request: round,
            tasks: ["work"],
            settled: [],
            begun: [],
            claim: { begin: 2, ahead: 2, lease: 30_000 },
            now: context.now,
          }),
        ),
      );
      const runs = answers.flatMap(({ claimed }) => claimed);
      const counts = await context.storage.counts({ queue: context.queue, now: context.now });
      assert.equal(counts["*"]?.active, 3);
      assert.equal(runs.length, 3);
      for (const run of runs) await context.complete(run);
      done += runs.length;
    }
    assert.deepEqual(
      await context.states(...ids(jobs)),
      Array.from({ length: 12 }, () => "completed"),
    );
  }),

  promise("a job that a gate lets go has its place, whatever those behind it allow", async (context) => {
    const [holder, ...wide] = context.jobs(8, { gates: [slots("tenant 7", 4)] });
    const narrow = context.job({ gates: [slots("tenant 7", 1)], priority: 1 });
    await context.enqueue(holder);
    const run = await onlyOne(context, holder.id);
    await context.enqueue(narrow, ...wide);
    assert.deepEqual(await context.claim({ n: 9 }), []);
    await context.complete(run);
    assert.deepEqual(ids(await context.claim({ n: 9 })), ids([narrow, ...wide.slice(0, 3)]));
  }),

  promise("a gate that opens lets the first of those parked go, by priority, then order", async (context) => {
    const gate = { gates: [lock("door")] };
    const holder = context.job({ ...gate, priority: 9 });
    const [low, first, second] = [
      context.job({ ...gate, priority: -1 }),
      context.job(gate),
      context.job(gate),
    ];
    await context.enqueue(holder, low, first, second);
    let run = await onlyOne(context, holder.id);
    context.advance(10);
    const urgent = context.job({ ...gate, priority: 5 });
    await context.enqueue(urgent);
    assert.deepEqual(await context.claim({ n: 9 }), []);
    const endings = [
      (one: ClaimedJob) => context.complete(one),
      (one: ClaimedJob) => context.fail(one),
      (one: ClaimedJob) => context.settle(one, { kind: "cancelled", reason: "asked for" }),
      (one: ClaimedJob) =>
        context.settle(one, { kind: "retry", error: undefined, due: context.now + 60_000, counts: true }),
    ];
    for (const [index, expected] of [urgent, first, second, low].entries()) {
      await at(endings, index)(run);
      assert.equal(await context.state(expected.id), "ready");
      run = await onlyOne(context, expected.id);
    }
    await context.complete(run);
  }),

  promise(
    "a gate that opens in a call whose clock is behind lets go as many as have a place",
    async (context) => {
      for (const gate of [lock("door"), slots("tenant 7", 2)]) {
        const held = context.jobs(gate.max, { gates: [gate] });
        await context.enqueue(...held);
        const runs = await context.claim({ n: 9 });
        const behind = context.now;
        context.advance(1_000);
        const [first, second, third] = context.jobs(3, { gates: [gate] });
        await context.enqueue(first, second, third);
        assert.deepEqual(await context.claim({ n: 9 }), []);
        context.now = behind;
        await context.complete(at(runs, 0));
        assert.deepEqual(await context.states(first.id, second.id, third.id), ["ready", "parked", "parked"]);
        context.advance(1_000);
        for (const run of runs.slice(1)) await context.complete(run);
        for (let left = 3; left > 0; left -= 1) {
          const [run] = await context.claim({ n: 1 });
          assert.ok(run !== undefined, `${left} wait for a gate that nobody holds`);
          await context.complete(run);
        }
      }
    },
  ),

  promise("a job with several gates takes all of them or none", async (context) => {
    const left = context.job({ gates: [lock("left")] });
    const both = context.job({ gates: [lock("right"), lock("left")] });
    const right = context.job({ gates: [lock("right")] });
    await context.enqueue(left, both, right);
    const runs = await context.claim({ n: 5 });
    assert.deepEqual(ids(runs), [left.id, right.id], "what waits for the left holds not the right");
    assert.equal(await context.state(both.id), "parked");
    await context.complete(at(runs, 0));
    assert.deepEqual(await context.claim({ n: 5 }), []);
    await context.complete(at(runs, 1));
    const run = await context.claimOne(both.id);
    const others = [context.job({ gates: [lock("left")] }), context.job({ gates: [lock("right")] })];
    await context.enqueue(...others);
    assert.deepEqual(await context.claim({ n: 5 }), [], "it holds both");
    await context.complete(run);
    assert.deepEqual(ids(await context.claim({ n: 5 })), ids(others));
  }),

  promise("jobs that wait for each other's places at several gates go on", async (context) => {
    const api: NewGate = { kind: "limit", key: "api", max: 2, per: 1_000, onBusy: "wait" };
    for (const [kind, shared] of Object.entries({ slots: slots("tenant 7", 2), limit: api })) {
      const doors = [lock(`left of ${kind}`), lock(`right of ${kind}`)];
      const both = (): NewJob[] => doors.map((door) => context.job({ gates: [door, shared], priority: 1 }));
      const alone = (gate: NewGate): readonly NewJob[] => context.jobs(4, { gates: [gate] });
      await context.enqueue(...context.jobs(2, { gates: [shared] }));
      const held = [...(await context.claim({ n: 9 }))];
      await context.enqueue(...both(), ...alone(shared));
      assert.deepEqual(await context.claim({ n: 9 }), []);
      await context.enqueue(...doors.map((door) => context.job({ gates: [door] })));
      held.push(...(await context.claim({ n: 9 })));
      await context.enqueue(...both(), ...doors.flatMap(alone));
      assert.deepEqual(await context.claim({ n: 9 }), []);
      // All gates open at once: each lets one of those go that need another one too.
      context.advance(1_000);
      for (const run of held) await context.complete(run);
      for (let left = 16; left > 0; context.advance(1_000)) {
        const runs = await context.claim({ n: 9 });
        assert.ok(
          runs.length > 0,
          `${left} wait for gates that nobody holds, some for a lock and the ${kind}`,
        );
        for (const run of runs) await context.complete(run);
        left -= runs.length;
      }
    }
    await crowdGoesOn(context);
  }),

  promise(
    "a job whose gate policy is skip, drop or fail is handed over with that verdict",
    async (context) => {
      const [holder, beside] = [
        context.job({ gates: [lock("door")] }),
        context.job({ gates: [lock("window")] }),
      ];
      await context.enqueue(holder, beside);
      const held = await context.claimOne(holder.id);
      assert.equal(held.verdict, undefined);
      for (const kind of ["skip", "drop", "fail"] as const) {
        const job = context.job({ gates: [lock("door", kind)] });
        await context.enqueue(job);
        const run = await context.claimOne(job.id);
        assert.equal(run.verdict?.kind, kind);
        assert.ok(run.verdict.gate.includes("door"), `the gate is ${run.verdict.gate}`);
        assert.equal(await context.state(job.id), "active");
        assert.equal(await context.settle(run, { kind: "skipped", reason: "busy" }), "applied");
        assert.equal(await context.state(job.id), "skipped");
      }
      const other = await context.claimOne(beside.id);
      assert.equal(other.verdict, undefined, "that of another job");
      const waiting = context.job({ gates: [lock("door")] });
      await context.enqueue(waiting);
      assert.deepEqual(await context.claim({ n: 5 }), [], "what was handed over has not opened the gate");
      await context.complete(held);
      await context.runToEnd(waiting.id);
      const free = context.job({ gates: [lock("door", "skip")] });
      await context.enqueue(free);
      const run = await context.claimOne(free.id);
      assert.equal(run.verdict, undefined);
      await context.enqueue(context.job({ gates: [lock("door")] }));
      assert.deepEqual(await context.claim({ n: 5 }), [], "it holds the gate while it runs");
      await context.complete(run);

      // One that another gate has let go, and kept a place for, holds none at all.
      const [one, two] = [context.job({ gates: [lock("left")] }), context.job({ gates: [lock("right")] })];
      const both = context.job({ gates: [lock("left"), lock("right", "skip")] });
      await context.enqueue(one, two, both);
      const [first] = [await context.claimOne(one.id), await context.claimOne(two.id)];
      const next = context.job({ gates: [lock("left")] });
      await context.enqueue(next);
      assert.deepEqual(await context.claim({ n: 5, ids: [both.id, next.id] }), []);
      await context.complete(first);
      const handed = await context.claimOne(both.id);
      assert.equal(handed.verdict?.kind, "skip");
      await context.runToEnd(next.id);
      assert.equal(await context.settle(handed, { kind: "skipped", reason: "busy" }), "applied");
    },
  ),

  promise("a job that finds others waiting at its gate waits behind them", async (context) => {
    const gate = { gates: [lock("door")] };
    const [holder, first, second] = context.jobs(3, gate);
    await context.enqueue(holder, first, second);
    const run = await onlyOne(context, holder.id);
    await context.complete(run);
    assert.deepEqual(await context.states(first.id, second.id), ["ready", "parked"]);
    const late = context.job(gate);
    await context.enqueue(late);
    assert.deepEqual(await context.claim({ ids: [late.id] }), [], "the gate is free, but others wait");
    assert.equal(await context.state(late.id), "parked");
    for (const expected of [first, second, late]) {
      await context.complete(await onlyOne(context, expected.id));
    }
    const narrow = { gates: [slots("tenant 7", 1)] };
    const [inside, waiting] = context.jobs(2, narrow);
    await context.enqueue(inside, waiting);
    const holding = await context.claimOne(inside.id);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    const wide = context.job({ gates: [slots("tenant 7", 2)], priority: 1 });
    await context.enqueue(wide);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    assert.equal(await context.state(wide.id), "parked", "also one that would allow more");
    await context.complete(holding);
    assert.deepEqual(ids(await context.claim({ n: 5 })), [wide.id]);
    const holders = context.jobs(2, { gates: [slots("tenant 8", 2)] });
    const kept = context.job({ gates: [slots("tenant 8", 2)], priority: -1 });
    const last = context.job({ gates: [slots("tenant 8", 1)], priority: -2 });
    const widest = context.job({ gates: [slots("tenant 8", 3)] });
    await context.enqueue(...holders);
    const [one, another] = exactly(await context.claim({ n: 2 }), 2);
    await context.enqueue(kept, last);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    await context.complete(one);
    await context.enqueue(widest);
    assert.deepEqual(ids(await context.claim({ n: 5 })), [kept.id], "a start lets nobody go");
    await context.complete(another);
    assert.deepEqual(ids(await context.claim({ n: 5 })), [widest.id]);
  }),

  promise(
    "ten thousand parked jobs leave the claims of others as they are",
    async (context) => {
      await othersAreClaimedAsFast(context, async () => {
        const holder = context.job({ gates: [lock("door")] });
        await context.enqueue(holder);
        await onlyOne(context, holder.id);
        await context.enqueue(...context.jobs(MANY, { gates: [lock("door")], priority: 1 }));
        await parkAll(context, MANY);
      });
    },
    { unrepeated: "it measures time" },
  ),
]);

/** Claims whatever there is, which is this one job. */
async function onlyOne(context: Context, id: string): Promise<ClaimedJob> {
  const claimed = await context.claim({ n: 9 });
  assert.deepEqual(ids(claimed), [id]);
  return at(claimed, 0);
}
