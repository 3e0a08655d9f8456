/** Storing flows. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { compositionOf } from "../composition.js";
import { TaskqError } from "../errors.js";
import type { EnqueueAnswer, EnqueueCollision, EnqueueRequest, NewFlow, StoredFlow } from "../storage.js";
import { CALL_BYTES, isFinal } from "../storage.js";
import type { BatchOptions, EnqueueOptions, Many } from "../vocabulary/enqueue-options.js";
import type { Result } from "../vocabulary/result.js";
import type { Entry, Job } from "../vocabulary/task-and-job.js";
import type { Engine } from "./engine-types.js";
import { checkedEnqueue, NO_OPTIONS, checkBatchOptions, type CheckedEnqueue } from "./enqueue-options.js";
import { BATCH_SIZE, batches, splitEntry, withOwn } from "./entries.js";
import { buildFlow, isOfFlow, type BuiltFlow } from "./flow.js";
import type { MaybePromise } from "./maybe-promise.js";
import { reportEnqueued } from "./report.js";
import { createResult } from "./result.js";
import { movingRun } from "./run-scope.js";
import { UnderWay } from "./under-way.js";

/** Milliseconds for which batches may follow each other without a turn of the event loop. */
const LONGEST_TURN = 10;

/** Times that ids are made anew after they were found taken. */
const MOST_COLLISIONS = 10;

export async function enqueueJob(
  engine: Engine,
  job: Job,
  options: EnqueueOptions | undefined,
): Promise<Result> {
  const composition = compositionOf(job, "enqueue");
  const opening = engine.open();
  if (opening !== undefined) await opening;
  const now = engine.time.now();
  const checked = options === undefined ? NO_OPTIONS : checkedEnqueue(options, now);
  for (let collisions = 0; collisions < MOST_COLLISIONS; collisions += 1) {
    const made = buildFlow(engine, composition, checked, now);
    const built = made instanceof Promise ? await made : made;
    // Awaited here, and not in a function of its own: most queues are filled one job after the other.
    const request = requestOf(engine, [built.flow]);
    const { mark } = engine.waiter;
    let answer: EnqueueAnswer | EnqueueCollision;
    try {
      answer = await engine.storage.enqueue(request);
    } catch (error) {
      answer = await engine.storage.enqueue({ ...request, run: movingRun(engine, error) });
    }
    const stored = storedFlows(engine, [built.flow], answer);
    if (stored === undefined) continue;
    if (engine.runInline !== undefined) await engine.runInline(storedJobs([built], stored));
    return resultOf(engine, built, stored[0] as StoredFlow, mark);
  }
  throw noFreeId();
}

export async function enqueueJobs(
  engine: Engine,
  entries: Many<Entry>,
  options: BatchOptions | undefined,
): Promise<Result[]> {
  checkBatchOptions(options, engine.time.now());
  const opening = engine.open();
  if (opening !== undefined) await opening;
  const size = batchSizeOf(engine);
  const underWay = new UnderWay(Math.ceil(BATCH_SIZE / size));
  let turnBegan = performance.now();
  try {
    for await (const batch of batches(entries, size)) {
      for (let rest = batch; rest.length > 0;) {
        // A storage in this process answers at once, and timers and sockets would wait for the last batch.
        if (performance.now() - turnBegan > LONGEST_TURN) {
          await nextTurn();
          turnBegan = performance.now();
        }
        const { built, bytes } = await buildBatch(engine, rest, options, CALL_BYTES);
        await underWay.add(storeBatch(engine, rest.slice(0, built.length), options, built), bytes);
        rest = rest.slice(built.length);
      }
    }
    return await underWay.all();
  } finally {
    // Whoever is told of a failure is told once nothing goes on any more.
    await underWay.over();
  }
}

/** Where jobs run in the caller, they do so one after the other: one batch at a time. */
function batchSizeOf({ storage: { batchSize = BATCH_SIZE }, runInline }: Engine): number {
  return runInline === undefined ? Math.min(batchSize, BATCH_SIZE) : BATCH_SIZE;
}

/** As many of its jobs, from the first on, as have so many bytes together. They are made before the next ones are begun. */
async function buildBatch(
  engine: Engine,
  batch: readonly Entry[],
  options: BatchOptions | undefined,
  mostBytes: number,
): Promise<{ readonly built: readonly BuiltFlow[]; readonly bytes: number }> {
  const now = engine.time.now();
  const shared = options === undefined ? NO_OPTIONS : checkedEnqueue(options, now);
  const built: BuiltFlow[] = [];
  let bytes = 0;
  for (const entry of batch) {
    const made = buildEntry(engine, entry, options, shared, now);
    const flow = made instanceof Promise ? await made : made;
    built.push(flow);
    for (const { body } of flow.flow.jobs) bytes += body.length;
    if (bytes >= mostBytes) break;
  }
  return { built, bytes };
}

/** Builds it anew where an id was taken. */
async function storeBatch(
  engine: Engine,
  batch: readonly Entry[],
  options: BatchOptions | undefined,
  first: readonly BuiltFlow[],
): Promise<Result[]> {
  let built = first;
  for (let collisions = 0; collisions < MOST_COLLISIONS; collisions += 1) {
    if (collisions > 0) ({ built } = await buildBatch(engine, batch, options, Infinity));
    const stored = await storeFlows(
      engine,
      built.map(({ flow }) => flow),
    );
    if (stored === undefined) continue;
    await engine.runInline?.(storedJobs(built, stored));
    return built.map((flow, index) => resultOf(engine, flow, stored[index] as StoredFlow));
  }
  throw noFreeId();
}

function buildEntry(
  engine: Engine,
  entry: Entry,
  options: BatchOptions | undefined,
  shared: CheckedEnqueue,
  now: number,
): MaybePromise<BuiltFlow> {
  const { job, own } = splitEntry(entry);
  const checked = own === undefined ? shared : checkedEnqueue(withOwn(options, own), now);
  return buildFlow(engine, compositionOf(job, "enqueueMany"), checked, now);
}

/** `undefined`: an id was taken, and new ones are to be made. */
export async function storeFlows(
  engine: Engine,
  flows: readonly NewFlow[],
): Promise<readonly StoredFlow[] | undefined> {
  const request = requestOf(engine, flows);
  let answer: EnqueueAnswer | EnqueueCollision;
  try {
    answer = await engine.storage.enqueue(request);
  } catch (error) {
    answer = await engine.storage.enqueue({ ...request, run: movingRun(engine, error) });
  }
  return storedFlows(engine, flows, answer);
}

function requestOf(engine: Engine, flows: readonly NewFlow[]): EnqueueRequest {
  return { queue: engine.name, flows, now: engine.time.requestNow() };
}

function storedFlows(
  engine: Engine,
  flows: readonly NewFlow[],
  answer: EnqueueAnswer | EnqueueCollision,
): readonly StoredFlow[] | undefined {
  if ("collision" in answer) return undefined;
  reportEnqueued(engine, flows, answer);
  return answer.flows;
}

/** Ids of the jobs that were stored: what was there already may be the very run that enqueues it again. */
export function storedJobs(built: readonly BuiltFlow[], stored: readonly StoredFlow[]): string[] {
  const made = built.filter((_, index) => stored[index]?.status === "stored");
  return made.flatMap(({ flow }) => flow.jobs.map(({ id }) => id));
}

/** @param mark of the waiter, from before the flow was stored */
export function resultOf(engine: Engine, built: BuiltFlow, stored: StoredFlow, mark?: number): Result {
  const { flow, stages } = built;
  const ofFlow = isOfFlow(built);
  if (stored.status === "existing") {
    // One that has its id stands for the same flow; one that holds its unique key need not.
    return createResult(engine, stored.id, { existing: true, ofFlow: ofFlow && stored.id === flow.end });
  }
  // A group must be looked at once: it becomes final with a member, whose id alone may be told.
  const mustLook = flow.joins.length > 0 || isFinal(stored.state);
  const after = mustLook ? undefined : mark;
  return createResult(engine, flow.end, { existing: false, ofFlow, stages, mark: after });
}

function noFreeId(): TaskqError {
  return new TaskqError("TASKQ_STORAGE", `no free id was found in ${MOST_COLLISIONS} tries`);
}
