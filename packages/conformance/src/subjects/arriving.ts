import assert from "node:assert/strict";
import { KEPT_AT_LEAST, type MovedRecord, type NewJob, type SettledOutcome } from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import type { Context } from "../context.js";
import { chain, flowOf } from "../flows.js";
import { listAll } from "../invariants.js";
import {
  begin,
  finish,
  comeIn,
  put,
  exportAll,
  fill,
  open,
  move,
  refusesWhatIsNew,
  refusesChanges,
  SMALL_PAGE,
  SCHEDULE,
} from "../moving.js";
import { promise, subject, type Subject } from "../promise.js";
import { at } from "../tuple.js";
import { crash } from "./leases.js";

/** Endings besides being completed and failed; what follows is skipped. */
const ENDINGS: readonly SettledOutcome[] = [
  { kind: "cancelled", reason: "asked for" },
  { kind: "expired" },
  { kind: "quarantined", error: bytes("unreadable") },
];

/** Places in a line are below this. */
const PLACES = 2 ** 40;

function isRow({ kind }: MovedRecord): boolean {
  return kind === "job" || kind === "join";
}

/** What refers to rows comes behind all of them. */
function rowsFirst(records: readonly MovedRecord[]): readonly MovedRecord[] {
  return [...records.filter(isRow), ...records.filter((record) => !isRow(record))];
}

/** One of everything that a queue keeps; answers the ids of jobs and joins. */
async function keepOfEverything(context: Context): Promise<readonly string[]> {
  const { storage, queue } = context;
  const crashed = context.job();
  await context.enqueue(crashed);
  await crash(context, crashed.id);
  assert.equal((await context.jobRecord(crashed.id)).crashes, 1);
  const values = [
    { kind: "set", key: "text", bytes: bytes("value"), expiresAt: undefined },
    { kind: "increment", key: "number", by: 3, expiresAt: context.now + 60_000 },
  ] as const;
  await storage.values({ queue, now: context.now, operation: "set", operations: values });
  for (const name of ["one", "two"]) {
    await storage.schedules({ queue, now: context.now, change: { ...SCHEDULE, name } });
  }
  await storage.schedules({ queue, now: context.now, change: { kind: "pause", name: "two" } });
  const [done, failed, retried] = context.jobs(3);
  await context.enqueue(done, failed, retried);
  const run = await context.claimOne(done.id);
  const note = { queue, now: context.now, run, bytes: bytes("half") } as const;
  await storage.note({ ...note, kind: "progress" });
  await storage.note({ ...note, kind: "log" });
  await storage.note({ ...note, kind: "log", bytes: bytes("more") });
  await context.complete(run, "result");
  await context.runToFailure(failed.id);
  const again = await context.claimOne(retried.id);
  const due = context.now + 5_000;
  await context.settle(again, { kind: "retry", error: bytes("once"), due, counts: true });
  for (const outcome of ENDINGS) {
    const [ending, follower] = context.jobs(2);
    await context.enqueue(chain(ending, follower));
    await context.settle(await context.claimOne(ending.id), outcome);
  }
  const member = context.job({ priority: -3, expiresAt: context.now + 90_000 });
  const group = context.group([member, context.job()], "settled");
  const named = context.job({ id: "a name", delay: 10_000, delivery: "at-most-once" });
  await context.enqueue(
    group,
    named,
    context.job({ task: "paused", keep: { completed: 5, failed: undefined } }),
  );
  const control = { queue, now: context.now } as const;
  await storage.control({ ...control, task: "paused", change: { kind: "pause" } });
  await storage.control({
    ...control,
    task: "other",
    change: { kind: "revoke", once: true, until: undefined },
  });
  const jobs = await listAll(storage, { queue, now: context.now });
  return [...jobs.map(({ id }) => id), ...group.joins.map(({ id }) => id)];
}

async function standingOf(context: Context, ids: readonly string[]): Promise<unknown> {
  const { storage, queue, now } = context;
  const keys = ["text", "number"].map((key) => ({ kind: "get", key }) as const);
  return {
    records: await storage.read({ queue, now, ids, whole: true }),
    notes: await Promise.all(ids.map((id) => storage.notes({ queue, id }))),
    listed: (await listAll(storage, { queue, now })).map(({ id }) => id),
    counts: await storage.counts({ queue, now, by: "task" }),
    values: await storage.values({ queue, now, operation: "read", operations: keys }),
    schedules: (await storage.schedules({ queue, now })).schedules,
  };
}

export const arriving: Subject = subject("arriving from another storage", [
  promise("a queue that arrives hands out nothing and takes nothing until it opens", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const exported = await exportAll(context);
    await finish(context, exported.departure);
    const { phase, arrival } = await comeIn(context, exported.departure);
    assert.equal(phase, "arriving");
    await refusesWhatIsNew(context);
    await context.rejects("TASKQ_MOVED", () => open(context, exported.departure, arrival));
    await context.rejects("TASKQ_MOVED", () => begin(context));
    await fill(context, exported);
    await refusesWhatIsNew(context);
    await refusesChanges(context, job.id);
    await context.rejects("TASKQ_MOVED", () => open(context, exported.departure, "another arrival"));
    assert.equal((await open(context, exported.departure, arrival)).phase, "open");
    await context.rejects("TASKQ_MOVED", () => put(context, exported.departure, exported.records));
    await context.runToEnd(job.id);
  }),

  promise("what has moved reads as it did before, and counts the same", async (context) => {
    const ids = await keepOfEverything(context);
    const before = await standingOf(context, ids);
    const { queue, now } = context;
    const all = { queue, now, task: undefined } as const;
    await context.storage.control({ ...all, change: { kind: "pause" } });
    await move(context);
    assert.deepEqual(await standingOf(context, ids), before);
    const task = { queue, now, change: { kind: "inspect" } } as const;
    assert.equal((await context.storage.control({ ...task, task: undefined })).paused, true);
    await context.storage.control({ ...all, change: { kind: "resume" } });
    assert.equal((await context.storage.control({ ...task, task: "paused" })).paused, true);
    assert.equal((await context.storage.control({ ...task, task: "other" })).revoked, true);
    // Revoked once, it skips one job, no more.
    const others = context.jobs(2, { task: "other" });
    await context.enqueue(...others);
    await context.claim({ n: 9, tasks: ["other"] });
    const states = await context.states(...others.map(({ id }) => id));
    assert.deepEqual(new Set(states), new Set(["active", "cancelled"]));
    context.advance(60_000);
    assert.equal(
      at(
        await context.storage.values({
          queue,
          now: context.now,
          operation: "later",
          operations: [{ kind: "get", key: "number" }],
        }),
        0,
      ).kind,
      "none",
    );
  }),

  promise("a page that comes again changes nothing", async (context) => {
    const ids = await keepOfEverything(context);
    const before = await standingOf(context, ids);
    const exported = await exportAll(context);
    await finish(context, exported.departure);
    const { arrival } = await comeIn(context, exported.departure);
    for (let from = 0; from < exported.records.length; from += SMALL_PAGE) {
      await put(context, exported.departure, exported.records.slice(0, from + SMALL_PAGE));
    }
    const { counts } = await fill(context, exported);
    assert.deepEqual(counts, exported.counts);
    // Also once all of it is put together.
    await put(context, exported.departure, exported.records);
    await open(context, exported.departure, arrival);
    assert.deepEqual((await comeIn(context, exported.departure, arrival)).phase, "open");
    assert.deepEqual(await standingOf(context, ids), before);
  }),

  promise(
    "what does not follow the page that came last is not taken, nor put together, and the answer tells where to go on",
    async (context) => {
      const [one, two, three] = context.jobs(3);
      await context.enqueue(one, two, three);
      const { departure, records, counts } = await exportAll(context);
      await finish(context, departure);
      const { arrival } = await comeIn(context, departure);
      const { queue, now, storage } = context;
      const about = { queue, now, departure };
      await put(context, departure, records.slice(0, 1), "one");
      const late = {
        ...about,
        kind: "page",
        records: records.slice(2),
        behind: "two",
        cursor: "all",
      } as const;
      const seal = { ...about, kind: "seal", behind: "all" } as const;
      for (const request of [late, seal]) {
        const refused = await storage.import(request);
        assert.deepEqual([refused.cursor, refused.complete, refused.more], ["one", false, false]);
      }
      const rest = { ...late, records: records.slice(1), behind: "one" };
      assert.deepEqual((await storage.import(rest)).cursor, "all");
      let sealed = await storage.import(seal);
      while (sealed.more) sealed = await storage.import(seal);
      assert.deepEqual([sealed.complete, sealed.counts], [true, counts]);
      // Both may come again.
      assert.equal((await storage.import(late)).complete, true);
      assert.deepEqual((await storage.import(seal)).counts, counts);
      await open(context, departure, arrival);
      for (const { id } of [one, two, three]) await context.claimOne(id);
    },
  ),

  promise(
    "an arrival that is broken off goes on where it was, and a new departure begins it anew",
    async (context) => {
      const [kept, gone] = context.jobs(2);
      await context.enqueue(kept, gone);
      const exported = await exportAll(context);
      await finish(context, exported.departure);
      const { arrival } = await comeIn(context, exported.departure);
      await put(context, exported.departure, exported.records.slice(0, 1), "there");
      const again = await comeIn(context, exported.departure, arrival);
      assert.deepEqual([again.arrival, again.cursor, again.complete], [arrival, "there", false]);
      await context.rejects("TASKQ_MOVED", () => comeIn(context, exported.departure, "another"));
      const other = { ...exported, departure: "anew", records: exported.records.slice(1) };
      const anew = await fill(context, other);
      assert.notEqual(anew.arrival, arrival);
      assert.ok(anew.epoch > again.epoch, "the epoch does not grow");
      await context.rejects("TASKQ_MOVED", () => put(context, exported.departure, exported.records));
      await open(context, "anew", anew.arrival);
      assert.deepEqual(await context.states(kept.id, gone.id), [undefined, "ready"]);
    },
  ),

  promise("fences after a move are greater than every one before it", async (context) => {
    const [done, waiting] = context.jobs(2);
    await context.enqueue(done, waiting);
    const before = await context.claimOne(done.id);
    const held = { kind: "acquire", name: "lock", owner: "o", max: 1, ttl: 60_000, wait: undefined } as const;
    const lock = await context.keys({ ...held, ticket: "before" });
    await context.complete(before);
    await move(context);
    const after = await context.claimOne(waiting.id);
    const highest = Math.max(before.fence, lock.fence ?? 0);
    assert.ok(after.fence > highest, `${after.fence} after ${highest}`);
    assert.equal(await context.complete(before), "repeated");
    // Its owner cannot follow, but nobody else gets the lock before its time is over.
    assert.equal((await context.keys({ ...held, ticket: "after" })).status, "busy");
    context.advance(60_000);
    const taken = await context.keys({ ...held, ticket: "after" });
    assert.equal(taken.status, "held");
    assert.ok((taken.fence ?? 0) > highest, "the fence of a lock does not grow");
    // From a storage of which the queue here knows nothing but its epoch.
    await context.open("from-afar");
    const { storage, queue, now } = context;
    const arrival = { queue, now, kind: "begin", departure: "afar", epoch: 1_000 } as const;
    assert.ok((await storage.import(arrival)).epoch > 1_000, "the epoch of the source is not passed");
    const filled = await fill(context, { departure: "afar", records: [], counts: {} });
    await open(context, "afar", filled.arrival);
    await context.enqueue(context.job());
    const { fence } = await context.claimOne();
    assert.ok(fence > 1_000 * 2 ** 40, `${fence} is no fence of a later epoch`);
  }),

  promise("flows in flight go on after a move", async (context) => {
    const [first, second, failing, guard] = context.jobs(4);
    const stage = { ...second, after: [{ source: first.id, on: "completed" }] } as const;
    const handler = { ...guard, after: [{ source: failing.id, on: "failed" }] } as const;
    const members = context.jobs(3);
    const group = context.group(members);
    const end = { ...context.job(), after: [{ source: group.end, on: "completed" }] } as const;
    const doomed = context.jobs(3);
    const lost = context.group(doomed);
    await context.enqueue(
      { end: second.id, jobs: [first, stage], joins: [] },
      { end: failing.id, jobs: [failing, handler], joins: [] },
      { end: end.id, jobs: [...group.jobs, end], joins: group.joins },
      lost,
    );
    await context.runToEnd(members[1].id, "one of three");
    await context.runToEnd(first.id, "carried");
    await move(context);
    const next = await context.claimOne(second.id);
    assert.deepEqual(
      next.sources?.map((source) => source.id),
      [first.id],
    );
    await context.complete(next);
    await context.runToFailure(failing.id);
    assert.deepEqual(
      (await context.claimOne(guard.id)).sources?.map((source) => source.id),
      [failing.id],
    );
    await context.runToEnd(members[0].id);
    assert.equal(await context.state(end.id), "blocked");
    await context.runToEnd(members[2].id);
    const source = at((await context.claimOne(end.id)).sources ?? [], 0);
    assert.ok(source.kind === "join", "the end reads the group");
    assert.deepEqual(
      source.members.map(({ id }) => id),
      members.map(({ id }) => id),
    );
    await context.runToFailure(doomed[0].id);
    assert.deepEqual(await context.states(doomed[1].id, doomed[2].id, lost.end), [
      "skipped",
      "skipped",
      "failed",
    ]);
  }),

  promise(
    "what a run has added, and the line of a schedule, are waited for after a move",
    async (context) => {
      const { storage, queue } = context;
      const [member, other, extra, callback, before, behind] = context.jobs(6);
      const group = context.group([member, other]);
      await context.enqueue(chain(group, callback));
      await context.runToEnd(member.id, "member", { add: [flowOf(extra)] });
      await context.runToEnd(other.id);
      const { name, ...schedule } = { ...SCHEDULE, name: "s" };
      await storage.schedules({ queue, change: { ...schedule, name }, now: context.now });
      for (const job of [before, behind]) {
        const previous = context.now;
        context.advance(1_000);
        const overlap = "queue";
        const request = { queue, name, previous, at: context.now, flows: [flowOf(job)], overlap } as const;
        assert.equal((await storage.tick({ ...request, now: context.now })).status, "applied");
        if (job === before) {
          const run = await context.claimOne(before.id);
          await context.settle(run, { kind: "retry", error: undefined, due: context.now, counts: true });
        }
      }
      await move(context);
      assert.deepEqual(await context.states(group.end, callback.id, behind.id), [
        "blocked",
        "blocked",
        "parked",
      ]);
      await context.runToEnd(extra.id);
      await context.runToEnd(callback.id);
      await context.runToEnd(before.id);
      await context.runToEnd(behind.id);
    },
  ),

  promise("unique keys, their lines and given ids are as taken after a move as before", async (context) => {
    const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
    const holder = context.job({ unique });
    await context.enqueue(holder);
    const pairs = [1, 2, 3].map(() => [context.job(), context.job({ unique })] as const);
    const [further, behind, last] = pairs.map(([, job]) => job) as [NewJob, NewJob, NewJob];
    await context.enqueue(...pairs.map(([before, job]) => chain(before, job)));
    // In the order of waiting, not of enqueue.
    for (const [before] of [at(pairs, 1), at(pairs, 0)]) await context.runToEnd(before.id);
    assert.deepEqual(await context.states(behind.id, further.id), ["parked", "parked"]);
    const gone = context.job({ id: "gone", keep: { completed: 1, failed: 1 } });
    await context.enqueue(context.job({ id: "given" }), gone);
    await context.runToEnd(gone.id);
    context.advance(10);
    await context.storage.purge({ queue: context.queue, limit: 10, now: context.now });
    assert.equal(await context.state(gone.id), undefined);
    await move(context);
    assert.deepEqual((await context.enqueue(context.job({ id: "gone" }))).flows, [
      { status: "existing", id: "gone", state: "completed" },
    ]);
    assert.deepEqual(await context.states(behind.id, further.id), ["parked", "parked"]);
    const ignored = await context.enqueue(context.job({ unique }));
    assert.deepEqual([ignored.flows[0]?.status, ignored.flows[0]?.id], ["existing", holder.id]);
    assert.equal((await context.enqueue(context.job({ id: "given" }))).flows[0]?.status, "existing");
    await context.rejects("TASKQ_ID_TAKEN", () =>
      context.enqueue(context.job({ id: "given", task: "other" })),
    );
    await context.runToEnd(at(pairs, 2)[0].id);
    await context.runToEnd(holder.id);
    assert.deepEqual(await context.states(behind.id, further.id, last.id), ["ready", "parked", "parked"]);
    await context.runToEnd(behind.id);
    assert.deepEqual(await context.states(further.id, last.id), ["ready", "parked"]);
    await context.runToEnd(further.id);
    assert.equal(await context.state(last.id), "ready");
  }),

  promise(
    "those in line for a unique key arrive in their order, and others come behind them",
    async (context) => {
      const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
      const holder = context.job({ unique });
      const follower = (): readonly [NewJob, NewJob] => [context.job(), context.job({ unique })];
      const arrived = [follower(), follower()];
      await context.enqueue(holder, ...arrived.map(([before, job]) => chain(before, job)));
      for (const [before] of arrived) await context.runToEnd(before.id);
      const exported = await exportAll(context);
      await finish(context, exported.departure);
      // The one that waits for longer is told last, and both stand as far from the first place as may be.
      const far = exported.records.toReversed().map((record): MovedRecord => {
        if (record.kind !== "job" || record.line === undefined) return record;
        const place = PLACES - (record.id === at(arrived, 0)[1].id ? 2 : 1);
        return { ...record, line: { ...record.line, place } };
      });
      const { arrival } = await fill(context, { ...exported, records: rowsFirst(far) });
      await open(context, exported.departure, arrival);
      const later = [follower(), follower()];
      await context.enqueue(...later.map(([before, job]) => chain(before, job)));
      for (const [before] of later) await context.runToEnd(before.id);
      await move(context);
      const plain = context.jobs(3);
      await context.enqueue(...plain);
      const claimed = await context.claim({ n: 9 });
      assert.deepEqual(
        claimed.map(({ id }) => id),
        [holder, ...plain].map(({ id }) => id),
      );
      for (const run of claimed) await context.complete(run);
      for (const [, { id }] of [...arrived, ...later]) await context.runToEnd(id);
    },
  ),

  promise(
    "a place in line that is no whole number below 2^40 is refused when it arrives",
    async (context) => {
      const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
      const [before, waiting] = [context.job(), context.job({ unique })];
      await context.enqueue(context.job({ unique }), chain(before, waiting));
      await context.runToEnd(before.id);
      const exported = await exportAll(context);
      await finish(context, exported.departure);
      const { arrival } = await comeIn(context, exported.departure);
      for (const place of [PLACES, -1, 0.5, Number.NaN, Infinity]) {
        const wrong = exported.records.map((record): MovedRecord =>
          record.kind === "job" && record.line !== undefined
            ? { ...record, line: { ...record.line, place } }
            : record,
        );
        await context.rejects("TASKQ_MOVE", () => put(context, exported.departure, wrong));
      }
      const { counts } = await fill(context, exported);
      assert.deepEqual(counts, exported.counts);
      await open(context, exported.departure, arrival);
      assert.equal(await context.state(waiting.id), "parked");
    },
  ),

  promise(
    "what follows one job waits for a unique key after a move in the order of enqueue",
    async (context) => {
      const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
      // With a key each, so that none lies apart from what follows it.
      const source = (key: string): NewJob => context.job({ unique: { ...unique, key } });
      const [first, other, last] = [source("first"), source("other"), source("last")];
      await context.enqueue(first, other, last);
      const follows = (...sources: readonly NewJob[]): NewJob => ({
        ...context.job({ unique }),
        after: sources.map(({ id }) => ({ source: id, on: "completed" })),
      });
      // Each waits for fewer besides than the one before.
      const followers = [follows(first, other, last), follows(first, last), follows(last)];
      for (const job of followers) await context.enqueue(job);
      await move(context);
      for (const { id } of [first, other, last]) await context.runToEnd(id);
      const ids = followers.map(({ id }) => id) as [string, string, string];
      assert.deepEqual(await context.states(...ids), ["ready", "parked", "parked"]);
      for (const id of ids) await context.runToEnd(id);
    },
  ),

  promise("how many jobs a task keeps holds behind a move as before", async (context) => {
    const keep = { completed: undefined, failed: undefined, completedMax: 1, failedMax: 1 };
    const jobs = context.jobs(4, { task: "capped", keep });
    await context.enqueue(...jobs);
    const [first, second, third, fourth] = jobs;
    for (const { id } of [first, second]) {
      context.advance(10);
      await context.runToEnd(id);
    }
    for (const { id } of [third, fourth]) {
      context.advance(10);
      await context.runToFailure(id);
    }
    await move(context);
    context.advance(KEPT_AT_LEAST);
    await context.storage.purge({ queue: context.queue, limit: 10, now: context.now });
    assert.deepEqual(await context.states(...jobs.map(({ id }) => id)), [
      undefined,
      "completed",
      undefined,
      "failed",
    ]);
  }),

  promise("a queue that keeps something already takes no arrival", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    await context.rejects("TASKQ_MOVE", () => comeIn(context, "from afar"));
    await context.runToEnd(job.id);
    const { queue, now } = context;
    await context.storage.purge({ queue, now, limit: 10, everything: true });
    assert.equal((await comeIn(context, "from afar")).phase, "arriving");
    const back = await context.storage.import({ queue, now, kind: "cancel", departure: "from afar" });
    assert.equal(back.phase, "open");
    await context.enqueue(context.job());
  }),
]);
