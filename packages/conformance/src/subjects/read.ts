import assert from "node:assert/strict";
import {
  joinId,
  splitId,
  type JobRecord,
  type ListRequest,
  type StoredCounts,
  type StoredState,
} from "@taskq/core/storage";
import { bytes, text } from "../bytes.js";
import type { Context } from "../context.js";
import { chain, follow, onError } from "../flows.js";
import { promise, subject, type Subject } from "../promise.js";
import { exactly } from "../tuple.js";

/** The same place in the order, another random part. */
function guess(id: string): string {
  const parts = splitId(id);
  if (parts === undefined) return assert.fail(`${id} was not made by core`);
  return joinId({ ...parts, random: (parts.random + 1) % 2 ** 40 });
}

async function listIds(
  context: Context,
  filter: Partial<ListRequest>,
  limit: number,
): Promise<readonly string[][]> {
  const pages: string[][] = [];
  let after: string | undefined;
  do {
    const { queue, now } = context;
    const page = await context.storage.list({ ...filter, queue, now, after, limit });
    assert.ok(page.records.length <= limit, "a page is longer than asked for");
    assert.ok(page.records.length > 0 || page.after === undefined, "an empty page that goes on");
    pages.push(page.records.map(({ id }) => id));
    after = page.after;
  } while (after !== undefined);
  return pages;
}

/** One job in each state that a caller can bring about at once, by state. */
async function oneOfEach(context: Context): Promise<ReadonlyMap<StoredState, string>> {
  const [completed, failed, cancelled, active, parked] = context.jobs(5);
  const [ready, scheduled] = [context.job({ task: "idle" }), context.job({ task: "idle", delay: 60_000 })];
  const [skipped, blocked, expired] = [
    context.job(),
    context.job(),
    context.job({ expiresAt: context.now + 1 }),
  ];
  await context.enqueue(completed, chain(failed, skipped), cancelled, expired);
  await context.runToEnd(completed.id);
  await context.runToFailure(failed.id);
  await context.settle(await context.claimOne(cancelled.id), { kind: "cancelled", reason: "no need" });
  context.advance(1);
  assert.deepEqual(await context.claim({ n: 5 }), []);
  const gates = [{ kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" }] as const;
  await context.enqueue(chain({ ...active, gates }, blocked));
  await context.claimOne(active.id);
  await context.enqueue({ ...parked, gates });
  assert.deepEqual(await context.claim({ n: 5, tasks: ["work"] }), []);
  await context.enqueue(ready, scheduled);
  return new Map<StoredState, string>([
    ["completed", completed.id],
    ["failed", failed.id],
    ["cancelled", cancelled.id],
    ["active", active.id],
    ["parked", parked.id],
    ["ready", ready.id],
    ["scheduled", scheduled.id],
    ["skipped", skipped.id],
    ["blocked", blocked.id],
    ["expired", expired.id],
  ]);
}

export const reading: Subject = subject("read", [
  promise(
    "reading answers every job and join in the order asked, and undefined for what is unknown",
    async (context) => {
      const [first, second, callback, handler] = context.jobs(4, { priority: 3, task: "unit" });
      const group = context.group([first, second]);
      await context.enqueue(onError(follow(group, callback), handler));
      await context.runToEnd(first.id, "one");
      const unknown = context.id();
      const ids = [callback.id, unknown, group.end, first.id, "no-such-name", second.id, first.id];
      const { storage, queue, now } = context;
      const records = await storage.read({ queue, ids, now });
      const expected = [callback.id, undefined, group.end, first.id, undefined, second.id, first.id];
      assert.deepEqual(
        records.map((record) => record?.id),
        expected,
      );
      const join = await context.joinRecord(group.end);
      assert.equal(join.mode, "all");
      assert.equal(join.state, "blocked");
      assert.deepEqual(join.members, [first.id, second.id]);
      const record = await context.jobRecord(first.id);
      assert.equal(text(record.bytes), "one");
      assert.equal(record.task, "unit");
      assert.equal(record.priority, 3);
      assert.equal(record.enqueuedAt, now);
      assert.equal(record.finishedAt, now);
      assert.equal(text(record.detail?.body), text(first.body));
      assert.deepEqual(record.detail?.after, [group.end]);
      const end = await context.jobRecord(callback.id);
      assert.deepEqual(end.detail?.before, [group.end]);
      assert.deepEqual(end.detail?.after, [handler.id]);
      assert.deepEqual(await storage.read({ queue, ids: [], now }), []);
    },
  ),

  promise("an id that differs from a stored one in its random part is unknown", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const run = await context.claimOne(job.id);
    const id = guess(job.id);
    assert.equal(await context.read(id), undefined);
    assert.equal(await context.complete({ id, fence: run.fence }), "lost");
    const { storage, queue, now } = context;
    const revoked = await storage.amend({
      queue,
      ids: [id],
      change: { kind: "revoke", scope: "flow" },
      now,
    });
    assert.deepEqual(revoked.changed, []);
    assert.equal(
      await storage.note({
        queue,
        run: { id, fence: run.fence },
        kind: "log",
        bytes: bytes("line"),
        now,
      }),
      false,
    );
    assert.deepEqual((await context.step()).revoked, []);
    assert.equal(await context.complete(run), "applied");
  }),
]);

export const listing: Subject = subject("list", [
  promise("listing pages through every job once, in the order of enqueue", async (context) => {
    const expected: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const jobs = [
        context.job({ priority: round % 3 }),
        context.job({ delay: 1_000 * (8 - round) }),
        ...context.jobs(2, { task: `task-${round % 2}` }),
      ];
      await context.enqueue(...jobs.slice(0, 2), context.group(jobs.slice(2)));
      expected.push(...jobs.map(({ id }) => id));
      context.advance(1);
    }
    const name = context.job({ id: "by-name" });
    await context.enqueue(name);
    context.advance(1);
    const last = context.job();
    await context.enqueue(last);
    expected.push(name.id, last.id);
    await context.claim({ n: 3 });
    assert.deepEqual((await listIds(context, {}, 7)).flat(), expected);
    assert.deepEqual((await listIds(context, {}, 1_000)).flat(), expected);
    assert.deepEqual((await listIds(context, {}, expected.length)).flat(), expected);
  }),

  promise("listing filters by state and by task", async (context) => {
    const states = await oneOfEach(context);
    for (const [state, id] of states) {
      assert.deepEqual(await listIds(context, { states: [state] }, 3), [[id]], state);
    }
    const final = await listIds(context, { states: ["completed", "failed", "cancelled"] }, 2);
    assert.deepEqual(
      final.flat(),
      ["completed", "failed", "cancelled"].map((state) => states.get(state as StoredState)),
    );
    assert.deepEqual(await listIds(context, { task: "idle" }, 10), [
      [states.get("ready"), states.get("scheduled")],
    ]);
    assert.deepEqual(await listIds(context, { task: "idle", states: ["scheduled"] }, 10), [
      [states.get("scheduled")],
    ]);
    assert.deepEqual((await listIds(context, { task: "unknown" }, 10)).flat(), []);
  }),

  promise(
    "listing after a job that is gone goes on where its id says, and is refused if that says nothing",
    async (context) => {
      const ids: string[] = [];
      for (const name of [undefined, undefined, "by-name", undefined]) {
        const job = context.job(name === undefined ? {} : { id: name });
        await context.enqueue(job);
        await context.runToEnd(job.id);
        ids.push(job.id);
        context.advance(1_000);
      }
      const [first, made, name, last] = exactly(ids, 4);
      const { storage, queue, now } = context;
      const listed = async (after: string): Promise<readonly string[]> =>
        (await storage.list({ queue, now, after, limit: 10 })).records.map(({ id }) => id);
      await storage.amend({ queue, ids: [made], change: { kind: "remove" }, now });
      assert.deepEqual(await listed(first), [name, last]);
      assert.deepEqual(await listed(made), [name, last]);
      assert.deepEqual(await listed(name), [last]);
      await storage.amend({ queue, ids: [name], change: { kind: "remove" }, now });
      assert.deepEqual(await listed(made), [last]);
      for (const unknown of [name, "no-such-name"]) {
        await context.rejects("TASKQ_OPTION", () => listed(unknown));
      }
      const alike = context.jobs(3);
      const [before, between, behind] = alike;
      await context.enqueue(...alike);
      await context.runToEnd(before.id);
      await context.runToEnd(between.id);
      await storage.amend({ queue, ids: [between.id], change: { kind: "remove" }, now });
      assert.deepEqual(await listed(between.id), [behind.id], "of one millisecond");
    },
  ),
]);

export const counting: Subject = subject("counts", [
  promise("counts equal the jobs there are, by state and by task", async (context) => {
    const states = await oneOfEach(context);
    await context.enqueue(context.group(context.jobs(3, { task: "idle" })));
    const { storage, queue, now } = context;
    const all = (await storage.counts({ queue, now }))["*"];
    const expected: Partial<Record<StoredState, number>> = { quarantined: 0 };
    for (const state of states.keys()) expected[state] = state === "ready" ? 4 : 1;
    assert.deepEqual(all, expected);
    const byTask = await storage.counts({ queue, now, by: "task" });
    assert.deepEqual(Object.keys(byTask).toSorted(), ["idle", "work"]);
    assert.equal(byTask["idle"]?.ready, 4);
    assert.equal(byTask["idle"]?.scheduled, 1);
    assert.equal(sum(byTask["idle"]), 5);
    assert.equal(sum(byTask["work"]), states.size - 2);
  }),
]);

function sum(counts: StoredCounts | undefined): number {
  return Object.values(counts ?? {}).reduce((total, count) => total + count, 0);
}

export const noting: Subject = subject("notes", [
  promise("the last progress and the log lines of a job can be read while it runs", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const run = await context.claimOne(job.id);
    const { storage, queue } = context;
    const note = (kind: "progress" | "log", line: string): Promise<boolean> =>
      storage.note({
        queue,
        run: { id: run.id, fence: run.fence },
        kind,
        bytes: bytes(line),
        now: context.now,
      });
    assert.equal(await note("progress", "a tenth"), true);
    assert.equal(await note("log", "one"), true);
    context.advance(5);
    assert.equal(await note("log", "two"), true);
    assert.equal(await note("progress", "a half"), true);
    const record: JobRecord = await context.jobRecord(job.id);
    assert.equal(record.state, "active");
    const { progress } = record.detail!;
    assert.deepEqual(
      { ...progress, bytes: text(progress?.bytes) },
      { kind: "progress", time: context.now, attempt: 1, fence: run.fence, bytes: "a half" },
    );
    const lines = await storage.notes({ queue, id: job.id });
    assert.deepEqual(
      lines.map((line) => [line.kind, text(line.bytes), line.time]),
      [
        ["log", "one", context.now - 5],
        ["log", "two", context.now],
      ],
    );
    for (let line = 0; line < 1_005; line += 1) await note("log", `${line}`);
    const kept = await storage.notes({ queue, id: job.id });
    assert.equal(kept.length, 1_000);
    assert.equal(text(kept.at(-1)?.bytes), "1004");
    assert.deepEqual(await storage.notes({ queue, id: context.id() }), []);
  }),

  promise("a note with an older fence is refused", async (context) => {
    const job = context.job();
    await context.enqueue(job);
    const old = await context.claimOne(job.id);
    await context.settle(old, { kind: "released" });
    const run = await context.claimOne(job.id);
    const { storage, queue, now } = context;
    const note = (fence: number, line: string): Promise<boolean> =>
      storage.note({ queue, run: { id: job.id, fence }, kind: "log", bytes: bytes(line), now });
    assert.equal(await note(old.fence, "stale"), false);
    assert.equal(await note(run.fence, "fresh"), true);
    await context.complete(run);
    assert.equal(await note(run.fence, "late"), false);
    const lines = await storage.notes({ queue, id: job.id });
    assert.deepEqual(
      lines.map((line) => text(line.bytes)),
      ["fresh"],
    );
  }),

  promise("bytes that were given or answered may be written over", async (context) => {
    const { storage, queue, now } = context;
    const given = {
      body: bytes("body"),
      result: bytes("result"),
      value: bytes("value"),
      line: bytes("line"),
    };
    const job = { ...context.job(), body: given.body };
    await context.enqueue(job);
    given.body.fill(0);
    const run = await context.claimOne(job.id);
    assert.equal(text(run.body), "body");
    run.body.fill(0);
    await storage.note({ queue, run, kind: "log", bytes: given.line, now });
    await context.settle(run, { kind: "completed", result: given.result });
    const set = { kind: "set", key: "key", bytes: given.value, expiresAt: undefined } as const;
    await storage.values({ queue, operation: "set", operations: [set], now });
    for (const one of Object.values(given)) one.fill(0);
    for (let look = 0; look < 2; look += 1) {
      const record = await context.jobRecord(job.id);
      const [line] = await storage.notes({ queue, id: job.id });
      const operations = [{ kind: "get", key: "key" }] as const;
      const [value] = await storage.values({ queue, operation: context.id(), operations, now });
      const kept = value?.kind === "bytes" ? value.bytes : undefined;
      const answered = [record.detail?.body, record.bytes, line?.bytes, kept];
      assert.deepEqual(answered.map(text), ["body", "result", "line", "value"]);
      for (const one of answered) one?.fill(0);
    }
  }),
]);
