/** What must hold in every store at every moment, as far as the contract lets it be seen. */
import assert from "node:assert/strict";
import {
  isFinal,
  STORED_STATES,
  type JobRecord,
  type StoredState,
  type StorageContract,
} from "@taskq/core/storage";
import type { Context } from "./context.js";

/** Where there are more jobs than this, only counts and listing are compared. */
const LOOKED_AT = 300;

/** Scans the queue of the context and throws on the first contradiction. A closed storage is let go. */
export async function checkInvariants(context: Context): Promise<void> {
  const { storage, queue, now } = context;
  if (await isClosed(storage, queue, now)) return;
  const jobs = await listAll(storage, { queue, now });
  await checkCounts(context, jobs);
  if (jobs.length > LOOKED_AT) return;
  await checkLists(context, jobs);
  for (const job of jobs) checkJob(job, context.highestFence(job.id));
  await checkReading(context, jobs);
  await checkEdges(context, jobs);
  await checkGates(context, jobs);
}

async function isClosed(storage: StorageContract, queue: string, now: number): Promise<boolean> {
  try {
    await storage.counts({ queue, now });
    return false;
  } catch (error) {
    if ((error as { code?: unknown }).code === "TASKQ_CLOSED") return true;
    throw error;
  }
}

/** Every job of the queue, page by page. */
export async function listAll(
  storage: StorageContract,
  filter: {
    readonly queue: string;
    readonly now: number;
    readonly states?: readonly StoredState[];
    readonly task?: string;
  },
): Promise<JobRecord[]> {
  const records: JobRecord[] = [];
  let after: string | undefined;
  do {
    const page = await storage.list({ ...filter, after, limit: 1_000 });
    records.push(...page.records);
    assert.ok(page.after === undefined || page.after !== after, "listing does not go on");
    after = page.after;
  } while (after !== undefined);
  return records;
}

async function checkCounts({ storage, queue, now }: Context, jobs: readonly JobRecord[]): Promise<void> {
  const all = await storage.counts({ queue, now });
  const byTask = await storage.counts({ queue, now, by: "task" });
  const tasks = new Set([...Object.keys(byTask), ...jobs.map((job) => job.task)]);
  for (const state of STORED_STATES) {
    const there = jobs.filter((job) => job.state === state);
    assert.equal(all["*"]?.[state] ?? 0, there.length, `counts differ from the jobs that are ${state}`);
    for (const task of tasks) {
      const of = there.filter((job) => job.task === task);
      assert.equal(byTask[task]?.[state] ?? 0, of.length, `counts of ${task} differ: ${state}`);
    }
  }
}

async function checkLists({ storage, queue, now }: Context, jobs: readonly JobRecord[]): Promise<void> {
  const ids = jobs.map((job) => job.id);
  assert.equal(new Set(ids).size, ids.length, "a job is listed twice");
  for (const state of STORED_STATES) {
    const listed = await listAll(storage, { queue, now, states: [state] });
    assert.deepEqual(
      listed.map((job) => job.id),
      jobs.filter((job) => job.state === state).map((job) => job.id),
      `the list of ${state} jobs differs from the list of all`,
    );
  }
}

function checkJob(job: JobRecord, given: number): void {
  const { id, state } = job;
  assert.equal(
    job.finishedAt !== undefined,
    isFinal(state),
    `${id} is ${state}, finished at ${job.finishedAt}`,
  );
  assert.equal(job.gate !== undefined, state === "parked", `${id} is ${state} under the gate ${job.gate}`);
  if (state === "active") assert.ok(job.owner !== undefined, `${id} is active and nobody's`);
  if (state === "active" || state === "completed")
    assert.ok(job.fence > 0, `${id} is ${state} without a fence`);
  if (state === "skipped") assert.ok(job.reason !== undefined, `${id} is skipped without a reason`);
  if (state === "cancelled") assert.ok(job.reason !== undefined, `${id} is cancelled without a reason`);
  if (!isFinal(state)) assert.equal(job.bytes, undefined, `${id} is ${state} and has bytes`);
  assert.ok(job.attempt >= 0 && job.failures >= 0 && job.crashes >= 0, `${id} counts below zero`);
  // an id of the caller's may stand for another job once the first is gone
  if (job.fence !== 0)
    assert.ok(job.fence >= given, `${id} has the fence ${job.fence}, and was given ${given}`);
  for (const { fence } of job.detail?.attempts ?? []) {
    assert.ok(fence <= job.fence, `${id} has the fence ${job.fence} and an attempt of ${fence}`);
  }
}

async function checkReading({ storage, queue, now }: Context, jobs: readonly JobRecord[]): Promise<void> {
  const read = await storage.read({ queue, now, ids: jobs.map((job) => job.id), whole: true });
  for (const [index, job] of jobs.entries()) {
    const record = read[index];
    assert.equal(record?.id, job.id, `${job.id} is listed and cannot be read`);
    assert.equal(record?.state, job.state, `${job.id} reads otherwise than it is listed`);
  }
}

/** A job leaves `blocked` when what it waits for is final; a join is final when its members are, or when it failed. */
async function checkEdges({ storage, queue, now }: Context, jobs: readonly JobRecord[]): Promise<void> {
  const known = new Set(jobs.map((job) => job.id));
  const sources = new Set(jobs.flatMap((job) => job.detail?.before ?? []));
  const ends = new Set(jobs.flatMap((job) => job.detail?.after ?? []));
  const others = [...new Set([...sources, ...ends])].filter((id) => !known.has(id));
  const joins = (await storage.read({ queue, now, ids: others })).filter((record) => record?.kind === "join");
  const records = new Map([...jobs, ...joins].map((record) => [record?.id, record]));
  for (const job of jobs) {
    const waitsFor = (job.detail?.before ?? []).map((id) => records.get(id));
    const open = waitsFor.filter((source) => source !== undefined && !isFinal(source.state));
    const started = job.state !== "blocked" && !isFinal(job.state);
    if (started) assert.equal(open.length, 0, `${job.id} is ${job.state} before ${open[0]?.id} is final`);
    if (job.state === "blocked") assert.ok(open.length > 0, `${job.id} is blocked by nothing`);
  }
  for (const record of joins) {
    if (record?.kind !== "join") continue;
    const members = await storage.read({ queue, now, ids: record.members });
    assert.equal(members.length, record.members.length);
    const open = members.filter((member) => member !== undefined && !isFinal(member.state));
    if (record.state === "completed")
      assert.equal(open.length, 0, `${record.id} completed before ${open[0]?.id}`);
    const broken = members.find(
      (member) => member !== undefined && isFinal(member.state) && member.state !== "completed",
    );
    if (record.state === "blocked") {
      assert.ok(
        record.mode === "settled" || broken === undefined,
        `${record.id} goes on without ${broken?.id}`,
      );
    }
    if (isFinal(record.state)) assert.ok(record.finishedAt !== undefined, `${record.id} has no end`);
  }
}

/** Unique keys belong to jobs that wait, and a schedule's line to the flow before. */
function isTurn(gate: string): boolean {
  return gate.startsWith("unique:") || gate.startsWith("schedule:");
}

/** What stands in the way of a parked job is held by somebody: an active job, or a ticket. */
async function checkGates({ storage, queue, now }: Context, jobs: readonly JobRecord[]): Promise<void> {
  const ids = jobs.map((job) => job.id);
  const facts = await storage.explain({ queue, ids, now });
  const states = new Map(jobs.map((job) => [job.id, job.state]));
  for (const [index, job] of jobs.entries()) {
    const fact = facts[index];
    assert.equal(fact?.id, job.id, "explaining answers in another order");
    assert.equal(fact?.state, job.state, `${job.id} is explained as ${fact?.state}`);
    assert.notEqual(fact?.causes.length, 0, `no reason is given for ${job.id}, which is ${job.state}`);
    for (const cause of fact?.causes ?? []) {
      if (!("holders" in cause) || isTurn(cause.gate)) continue;
      for (const holder of cause.holders) {
        const state = states.get(holder);
        assert.ok(state === undefined || state === "active", `${holder} is ${state} and holds ${cause.gate}`);
      }
    }
  }
}
