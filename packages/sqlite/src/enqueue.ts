import type { EnqueueAnswer, NewFlow, RunReference, StoredFlow } from "@taskq/core/storage";
import { complete } from "./consequences.js";
import { ignoredFor, knownFlow } from "./known-flow.js";
import type { Move } from "./move.js";
import { LEAVING, movedError, phaseOf } from "./moving.js";
import type { OpenQueue } from "./open-queue.js";
import { insertLone, insertTogether, loneJob } from "./plain-jobs.js";
import { ACTIVE } from "./row.js";
import { jobById } from "./rows.js";
import { storeFlow, type StoredRows, type Storing } from "./store-flow.js";
import type { TransactionScope } from "./transaction-scope.js";

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
  move.scope.rows += flows.length;
  return { flows: stored, effects: move.effects };
}

/** The same from an active run. @throws `Collision` */
export function enqueueFrom(move: Move, run: RunReference, flows: readonly NewFlow[]): EnqueueAnswer {
  admitFrom(move, run);
  return store(move, flows);
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

/** Stores a flow of any shape, unless it is there. */
export function enqueueWhole(
  move: Move,
  flow: NewFlow,
  storing?: Storing,
): Partial<StoredRows> & Pick<StoredRows, "stored"> {
  const known = knownFlow(move, flow, storing?.elsewhere === true) ?? ignoredFor(move, flow);
  return known === undefined ? storeFlow(move, flow, storing) : { stored: known };
}
