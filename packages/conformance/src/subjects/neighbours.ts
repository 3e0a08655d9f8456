import assert from "node:assert/strict";
import type {
  ControlRequest,
  JobRecord,
  MovedRecord,
  NewGate,
  NewJob,
  NewUnique,
  StepAnswer,
} from "@taskq/core/storage";
import { bytes } from "../bytes.js";
import { LEASE, RETENTION, type Context } from "../context.js";
import { chain, onError } from "../flows.js";
import { listAll } from "../invariants.js";
import type { JobOptions } from "../options.js";
import { cancel, exportAll, SCHEDULE } from "../moving.js";
import { promise, type ContractPromise } from "../promise.js";
import { reap } from "./leases.js";

/** Longer than all that happens here. */
const LONG = 1_000_000;
const LOCK: NewGate = { kind: "lock", key: "door", max: 1, per: undefined, onBusy: "wait" };
const LIMIT: NewGate = { kind: "limit", key: "api", max: 1, per: LONG, onBusy: "wait" };
const UNIQUE: NewUnique = { key: "one", until: "final", onConflict: "ignore" };
const KNOWN = ["work", "paused", "revoked"];

function control(context: Context, task: string, change: ControlRequest["change"]): Promise<unknown> {
  return context.storage.control({ queue: context.queue, task, change, now: context.now });
}

function claimAll(context: Context, n: number, tasks: readonly string[] = KNOWN): Promise<StepAnswer> {
  return context.claimStep({ n, tasks });
}

function acquire(context: Context, ticket: string): Promise<unknown> {
  return context.keys({
    kind: "acquire",
    name: "door",
    ticket,
    owner: context.queue,
    max: 1,
    ttl: LONG,
    wait: LONG,
  });
}

/** A bit of all that a storage keeps, under the same names in every queue. */
async function furnish(context: Context): Promise<void> {
  const { storage, queue, now } = context;
  const job = (id: string, options: JobOptions = {}): NewJob => context.job({ id, task: "work", ...options });
  const first = { priority: 9 };
  await storage.events({ queue, from: "start", limit: 10, now });
  await control(context, "paused", { kind: "pause" });
  for (const ticket of ["held", "waiting"]) await acquire(context, ticket);
  await storage.take({ queue, operation: "take", key: "api", max: 1, per: LONG, now });
  const set = { kind: "set", key: "value", bytes: bytes(queue), expiresAt: now + LONG } as const;
  await storage.values({ queue, operation: "set", operations: [set], now });
  await storage.schedules({ queue, change: { ...SCHEDULE, name: "daily" }, now });
  await context.enqueue(
    job("paused", { task: "paused", ...first }),
    job("unknown", { task: "unknown", ...first }),
    job("locked", { gates: [LOCK] }),
    job("limited", { gates: [LIMIT], ...first }),
    chain(job("done", { priority: 8 }), job("next"), job("last")),
    onError(job("failing", { priority: 7 }), job("handler")),
    chain(context.group([job("member", { priority: 6 }), job("other")]), job("callback")),
    chain(job("source", { priority: 5 }), job("behind", { unique: UNIQUE })),
    job("holder", { unique: UNIQUE }),
    job("revoked", { task: "revoked" }),
    job("scheduled", { delay: LONG }),
  );
  const answer = await claimAll(context, 4);
  assert.deepEqual(
    answer.claimed.map(({ id }) => id),
    ["done", "failing", "member", "source"],
  );
  for (const run of answer.claimed) {
    if (run.id === "failing") await context.fail(run);
    else await context.complete(run, "result");
  }
  await control(context, "revoked", { kind: "revoke", once: false, until: undefined });
}

/** Moves of every kind, which leave little as it was; answers what became of the jobs. */
async function upset(context: Context, furnishedAt: number): Promise<unknown> {
  const { storage, queue } = context;
  const get = { queue, operation: "get", operations: [{ kind: "get", key: "value" }] } as const;
  assert.deepEqual(await storage.values(get), [{ kind: "bytes", bytes: bytes(queue) }]);
  const take = { queue, operation: "again", key: "api", max: 1, per: LONG, now: context.now };
  assert.equal((await storage.take(take)).opensAt, furnishedAt + LONG);
  await storage.schedules({ queue, change: { kind: "pause", name: "daily" }, now: context.now });
  await control(context, "paused", { kind: "resume" });
  for (const [id, change] of [
    ["failing", { kind: "retry" }],
    ["scheduled", { kind: "reschedule", due: context.now }],
    ["other", { kind: "revoke", scope: "flow" }],
    ["done", { kind: "remove" }],
  ] as const) {
    await storage.amend({ queue, ids: [id], change, now: context.now });
  }
  await context.keys({ kind: "release", name: "door", ticket: "held" });
  const { holders } = await context.keys({ kind: "inspect", name: "door" });
  assert.deepEqual(
    holders.map(({ owner }) => owner),
    [queue],
  );
  await context.keys({ kind: "release", name: "door", ticket: undefined });
  const { claimed } = await claimAll(context, 50);
  const ran = claimed.map(({ id }) => id);
  for (const run of claimed) {
    if (run.id === "holder") await context.fail(run);
    else if (run.id !== "next") await context.complete(run, "result");
  }
  context.advance(LEASE + 1);
  await reap(context);
  context.advance(LEASE / 2);
  const { reaped } = await reap(context);
  await storage.open({ queue, retention: RETENTION, unknownAfter: LEASE, now: context.now });
  await claimAll(context, 1);
  context.advance(2 * LEASE);
  const { claimed: again } = await claimAll(context, 50);
  const counts = await storage.counts({ queue, now: context.now });
  const stats = await storage.stats({ queue, since: 0, byTask: true, now: context.now });
  const facts = await storage.explain({ queue, ids: ["limited", "last"], tasks: KNOWN, now: context.now });
  const records = await listAll(storage, { queue, now: context.now });
  await storage.values({ queue, operation: "drop", operations: [{ kind: "delete", key: "value" }] });
  await storage.schedules({ queue, change: { kind: "remove", name: "daily" }, now: context.now });
  await storage.purge({ queue, limit: 1_000, everything: true, now: context.now });
  await storage.purge({ queue, limit: 1_000, everything: true, now: context.now });
  return [
    ran,
    reaped.map(({ id }) => id),
    counts,
    stats.rows.reduce((sum, { completed }) => sum + completed, 0),
    again.map(({ id }) => id),
    facts.map(({ causes }) => causes.map(({ code }) => code)),
    records.map(({ id, state, reason }) => [id, state, reason]),
  ];
}

/** All that it keeps. */
async function contents(context: Context): Promise<readonly MovedRecord[]> {
  const { records } = await exportAll(context);
  await cancel(context);
  return records;
}

/** Of queues that share a storage. */
export const neighbours: readonly ContractPromise[] = [
  promise(
    "what is done to a queue touches no other on its storage",
    async (context) => {
      const first = { queue: context.queue, at: context.now };
      await furnish(context);
      context.advance(1_000);
      await context.open("another");
      const at = context.now;
      await furnish(context);
      const before = await contents(context);
      const listed = (): Promise<readonly JobRecord[]> =>
        listAll(context.storage, { queue: "another", now: context.now });
      const states = await listed();
      context.queue = first.queue;
      const here = await upset(context, first.at);
      context.queue = "another";
      assert.deepEqual(await listed(), states);
      assert.deepEqual(await contents(context), before);
      assert.deepEqual(await upset(context, at), here, "and it goes on as the other did");
    },
    { unrepeated: "each of its calls is repeated in the check of its own" },
  ),
];
