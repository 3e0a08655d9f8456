/** Jobs with nothing around them, each in a statement, or many in one. */
import { splitId, type EnqueueAnswer, type NewFlow, type NewJob, type StoredFlow } from "@taskq/core/storage";
import { inRow, isApart, putBody } from "./bodies.js";
import { isConstraint } from "./failure.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { AT_MOST_ONCE } from "./row.js";
import type { TransactionScope } from "./transaction-scope.js";

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

/** Inserts so many plain jobs in one statement, if the next ones are that; answers how many it stored. */
export function insertTogether(
  move: Move,
  flows: readonly NewFlow[],
  from: number,
  stored: StoredFlow[],
): number {
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
export function loneJob(flow: NewFlow): NewJob | undefined {
  const [job] = flow.jobs;
  return flow.jobs.length === 1 && flow.joins.length === 0 && job !== undefined && isLone(job)
    ? job
    : undefined;
}

/** Whether a lone job may run at once, its id says when it was made, and its row holds its body. */
function isPlain(now: number, job: NewJob, time: number): boolean {
  return (
    job.due <= now &&
    job.delivery === "at-least-once" &&
    job.expiresAt === undefined &&
    // Of many in one millisecond, the last have ids of the next one.
    time <= now &&
    now - time <= FRESH &&
    !isApart(job.body)
  );
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

export function insertLone(move: Move, job: NewJob): StoredFlow | undefined {
  const parts = splitId(job.id);
  if (parts === undefined) return undefined;
  const { time, low, random } = parts;
  const { now, queue } = move;
  const once = job.delivery === "at-most-once";
  const later = job.due > now;
  const { body, flag } = inRow(job.body);
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
          body,
          (once ? AT_MOST_ONCE : 0) | flag,
          later ? job.due : null,
          job.expiresAt ?? null,
          time === now ? null : now,
        );
  if (changes === 0) return undefined;
  putBody(move, time, low, job.body);
  move.becameReady();
  return { status: "stored", id: job.id, state: later ? "scheduled" : "ready" };
}
