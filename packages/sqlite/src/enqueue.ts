import {
  splitId,
  TaskqError,
  type EnqueueAnswer,
  type EnqueueCollision,
  type NewFlow,
  type NewJob,
  type RunReference,
  type StoredFlow,
} from "@taskq/core/storage";
import { complete } from "./consequences.js";
import { isConstraint } from "./failure.js";
import type { Move } from "./move.js";
import { LEAVING, movedError, phaseOf } from "./moving.js";
import type { OpenQueue } from "./open-queue.js";
import { ACTIVE, stateName } from "./row.js";
import { jobById, nameRow, rowById } from "./rows.js";
import { storeFlow, type StoredRows, type Storing } from "./store-flow.js";
import type { TransactionScope } from "./transaction-scope.js";
import { uniqueHolder } from "./unique.js";

/** Thrown to undo a call whose generated id is taken by another job. */
export class Collision {
  readonly id: string;
  constructor(id: string) {
    this.id = id;
  }
}

const INSERT_PLAIN =
  "INSERT INTO {jobs} (key, queue, state, priority, due, task, random, body) " +
  "VALUES ((? << 21) | ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

/** The same, if the queue takes anything new. */
const INSERT_ADMITTED =
  "INSERT INTO {jobs} (key, queue, state, priority, due, task, random, body) " +
  "SELECT (? << 21) | ?, id, 0, ?, ?, ?, ?, ? FROM {queues} WHERE id = ? AND phase = 0 ON CONFLICT DO NOTHING";

/** Plain jobs that are inserted by one statement: calling one costs as much as the row itself. */
const TOGETHER = 8;
const INSERT_TOGETHER =
  "INSERT INTO {jobs} (key, queue, state, priority, due, task, random, body) VALUES " +
  Array<string>(TOGETHER).fill("((? << 21) | ?, ?, 0, ?, ?, ?, ?, ?)").join(", ");

const INSERT_LONE =
  "INSERT INTO {jobs} (key, queue, state, priority, due, task, random, body, flags, later, expires, enqueued) " +
  "VALUES ((? << 21) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

/** Milliseconds by which an id may be older than the row, and still tell when that was enqueued. */
const FRESH = 1000;

/** Stores the flows of a call. @throws `Collision` */
export function enqueue(move: Move, flows: readonly NewFlow[]): EnqueueAnswer {
  admit(move.scope, move.queue);
  return store(move, flows);
}

function store(move: Move, flows: readonly NewFlow[]): EnqueueAnswer {
  const stored: StoredFlow[] = [];
  const ends = new Map<string, string>();
  for (let index = 0; index < flows.length;) {
    const together = insertTogether(move, flows, index, stored);
    if (together === 0) {
      const flow = flows[index] as NewFlow;
      const one = enqueueFlow(move, flow, ends);
      if (one.id !== flow.end) ends.set(flow.end, one.id);
      stored.push(one);
    }
    index += Math.max(1, together);
  }
  complete(move);
  return { flows: stored, effects: move.effects };
}

/** The same from an active run. @throws `Collision` */
export function enqueueFrom(move: Move, run: RunReference, flows: readonly NewFlow[]): EnqueueAnswer {
  admitFrom(move, run);
  return store(move, flows);
}

/** One plain job in one statement; `undefined` where that did nothing: `enqueue` does it then, or says why not. */
export function enqueuePlain(
  scope: TransactionScope,
  queue: OpenQueue,
  now: number,
  flow: NewFlow,
): EnqueueAnswer | undefined {
  const job = loneJob(flow);
  const parts = job === undefined ? undefined : splitId(job.id);
  if (job === undefined || parts === undefined || !isPlain(now, job, parts.time)) return undefined;
  const { changes } = scope.connection
    .sql(INSERT_ADMITTED)
    .run(parts.time, parts.low, job.priority, job.due, job.task, parts.random, job.body, queue.id);
  if (changes === 0) return undefined;
  scope.hintsOf(queue).ready = true;
  return { flows: [{ status: "stored", id: job.id, state: "ready" }], effects: NO_EFFECTS };
}

const NO_EFFECTS: EnqueueAnswer["effects"] = [];

/** What is answered instead of a collision that was thrown. */
export function collisionOf(error: unknown): EnqueueCollision {
  if (error instanceof Collision) return { collision: error.id };
  throw error;
}

/** A queue that is moving, or has moved, takes nothing new. Looked at once a transaction. */
export function admit(scope: TransactionScope, queue: OpenQueue): void {
  if (scope.hasAdmitted(queue)) return;
  const row = scope.connection.raw("SELECT phase FROM {queues} WHERE id = ?").get(queue.id) as [number];
  refuseMoved(queue.name, row[0]);
  scope.admit(queue);
}

/** Refuses what is new, but from a run: that ends where it is, with all that it does. @throws `TASKQ_MOVED` */
export function admitFrom(move: Move, run: RunReference | undefined): void {
  if (run === undefined || phaseOf(move) !== LEAVING) return admit(move.scope, move.queue);
  const row = jobById(move.scope.connection, move.queue, run.id);
  if (row?.state !== ACTIVE || row.fence !== run.fence) admit(move.scope, move.queue);
}

/** @throws `TASKQ_MOVED` */
export function refuseMoved(queue: string, phase: number): void {
  if (phase !== 0) throw movedError(queue, phase);
}

function enqueueFlow(move: Move, flow: NewFlow, ends: ReadonlyMap<string, string>): StoredFlow {
  const job = loneJob(flow);
  const stored = job === undefined ? undefined : insertLone(move, job);
  return stored ?? enqueueWhole(move, flow, { ends }).stored;
}

/** Inserts so many plain jobs in one statement, if the next ones are that; answers how many it stored. */
function insertTogether(move: Move, flows: readonly NewFlow[], from: number, stored: StoredFlow[]): number {
  if (flows.length - from < TOGETHER) return 0;
  const values: unknown[] = [];
  for (let index = from; index < from + TOGETHER; index += 1) {
    const job = loneJob(flows[index] as NewFlow);
    const parts = job === undefined ? undefined : splitId(job.id);
    if (job === undefined || parts === undefined || !isPlain(move.now, job, parts.time)) return 0;
    values.push(
      parts.time,
      parts.low,
      move.queue.id,
      job.priority,
      job.due,
      job.task,
      parts.random,
      job.body,
    );
  }
  try {
    move.sql(INSERT_TOGETHER).run(...values);
  } catch (error) {
    // One of the keys is taken: which one, inserting them one by one will tell.
    if (isConstraint(error)) return 0;
    throw error;
  }
  for (let index = from; index < from + TOGETHER; index += 1) {
    stored.push({ status: "stored", id: (flows[index] as NewFlow).end, state: "ready" });
  }
  move.becameReady();
  return TOGETHER;
}

/** Whether all of a call is one job with nothing around it. */
export function isLoneFlow(flows: readonly NewFlow[]): boolean {
  return flows.length === 1 && loneJob(flows[0] as NewFlow) !== undefined;
}

/** The job of a flow that is one job with nothing around it. */
function loneJob(flow: NewFlow): NewJob | undefined {
  const [job] = flow.jobs;
  return flow.jobs.length === 1 && flow.joins.length === 0 && job !== undefined && isLone(job)
    ? job
    : undefined;
}

/** Whether a lone job may run at once, and its id says when it was made. */
function isPlain(now: number, job: NewJob, time: number): boolean {
  return (
    job.due <= now &&
    job.delivery === "at-least-once" &&
    job.expiresAt === undefined &&
    Math.abs(now - time) <= FRESH
  );
}

/** Stores a flow of any shape, unless it is there. */
export function enqueueWhole(
  move: Move,
  flow: NewFlow,
  storing?: Storing,
): Partial<StoredRows> & Pick<StoredRows, "stored"> {
  const known = knownFlow(move, flow, storing?.elsewhere === true) ?? ignoredFor(move, flow);
  return known === undefined ? storeFlow(move, flow, storing) : { stored: known };
}

function isLone(job: NewJob): boolean {
  return (
    !job.named &&
    job.unique === undefined &&
    job.keep === undefined &&
    (job.after === undefined || job.after.length === 0) &&
    (job.gates === undefined || job.gates.length === 0)
  );
}

function insertLone(move: Move, job: NewJob): StoredFlow | undefined {
  const parts = splitId(job.id);
  if (parts === undefined) return undefined;
  const { time, low, random } = parts;
  const { now, queue } = move;
  const once = job.delivery === "at-most-once";
  const later = job.due > now;
  const { changes } = isPlain(now, job, time)
    ? move.sql(INSERT_PLAIN).run(time, low, queue.id, job.priority, job.due, job.task, random, job.body)
    : move
        .sql(INSERT_LONE)
        .run(
          time,
          low,
          queue.id,
          later ? 1 : 0,
          job.priority,
          job.due,
          job.task,
          random,
          job.body,
          once ? 512 : 0,
          later ? job.due : null,
          job.expiresAt ?? null,
          time === now ? null : now,
        );
  if (changes === 0) return undefined;
  move.becameReady();
  return { status: "stored", id: job.id, state: later ? "scheduled" : "ready" };
}

/** The answer for a flow that is there already, by an id of the caller's or because the call is a repeat. */
function knownFlow(move: Move, flow: NewFlow, elsewhere: boolean): StoredFlow | undefined {
  const { connection } = move.scope;
  let there = false;
  for (const row of [...flow.jobs, ...flow.joins]) {
    if ("named" in row && row.named) there = isNamed(move, row, flow.end) || there;
    else there = isMade(move, row.id, elsewhere) || there;
  }
  if (!there) return undefined;
  const end = rowById(connection, move.queue, flow.end);
  const state = end?.state ?? nameRow(connection, move.queue, flow.end)?.state;
  return { status: "existing", id: flow.end, state: stateName(state ?? 5) };
}

/** Whether a name is taken by a job of this task, or remembered for one. @throws `TASKQ_ID_TAKEN` */
function isNamed(move: Move, job: NewJob, end: string): boolean {
  const known = nameRow(move.scope.connection, move.queue, job.id);
  if (known === undefined || (known.key === null && known.until <= move.now)) return false;
  if (known.task !== job.task) {
    throw new TaskqError(
      "TASKQ_ID_TAKEN",
      `the id "${job.id}" belongs to a job of task "${known.task}", not "${job.task}"`,
    );
  }
  return known.key !== null || job.id === end;
}

/** Whether a generated id is there. @throws `Collision` when its key is another's, unless it may be kept elsewhere */
function isMade(move: Move, id: string, elsewhere: boolean): boolean {
  const parts = splitId(id);
  const { connection } = move.scope;
  if (parts === undefined) return nameRow(connection, move.queue, id) !== undefined;
  const row = move
    .raw("SELECT random, queue, flags & 256 FROM {jobs} WHERE key = (? << 21) | ?")
    .get(parts.time, parts.low) as [number, number, number] | undefined;
  if (row === undefined) return false;
  if (row[0] === parts.random && row[1] === move.queue.id && row[2] === 0) return true;
  if (elsewhere) return nameRow(connection, move.queue, id) !== undefined;
  throw new Collision(id);
}

/** The holder of a key for which the flow is not stored. */
function ignoredFor(move: Move, { jobs }: NewFlow): StoredFlow | undefined {
  for (const { unique, after } of jobs) {
    if (unique?.onConflict !== "ignore" || (after !== undefined && after.length > 0)) continue;
    const holder = uniqueHolder(move, unique.key);
    if (holder !== undefined) {
      return { status: "existing", id: holder.id, state: stateName(holder.state) };
    }
  }
  return undefined;
}
