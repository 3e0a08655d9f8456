/** `context.enqueue`: beside the run, or as part of what follows it. */
import { compositionOf } from "../composition.js";
import { TaskqError } from "../errors.js";
import { flag, refuseUnknown } from "../options.js";
import { takenError } from "../storage.js";
import type { BatchOptions, EnqueueOptions, JoinOption, Many } from "../vocabulary/enqueue-options.js";
import type { Result } from "../vocabulary/result.js";
import type { Entry, Job, JobOf, Yield } from "../vocabulary/task-and-job.js";
import { enqueueJob, enqueueJobs } from "./enqueue.js";
import type { Engine } from "./engine-types.js";
import { checkedEnqueue, enqueueOptionNames, checkBatchOptions } from "./enqueue-options.js";
import { BATCH_SIZE, batches, splitEntry, withOwn } from "./entries.js";
import { buildFlow, isOfFlow, namedRows, type BuiltFlow } from "./flow.js";
import { createResult } from "./result.js";

/** The run within which something is enqueued. */
export interface EnqueuingRun {
  readonly engine: Engine;
  /** Whether it has ended, or is no longer this consumer's. */
  readonly isOver: boolean;
  /** Flows that are stored with its finishing move. */
  joined: BuiltFlow[] | undefined;
}

export async function enqueueInRun<J extends Job>(
  run: EnqueuingRun,
  job: J,
  options: (EnqueueOptions & JoinOption) | undefined,
): Promise<Result<Yield<J>>> {
  const { own, join } = withoutJoin(options);
  const result = join ? await joinJob(run, job, own) : await enqueueJob(run.engine, job, own);
  return result as Result<Yield<J>>;
}

export async function enqueueManyInRun<E extends Entry>(
  run: EnqueuingRun,
  jobs: Many<E>,
  options: (BatchOptions & JoinOption) | undefined,
): Promise<Result<Yield<JobOf<E>>>[]> {
  const { own, join } = withoutJoin(options);
  checkBatchOptions(own, run.engine.time.now());
  const results: Result[] = [];
  if (!join) results.push(...(await enqueueJobs(run.engine, jobs, own as BatchOptions | undefined)));
  else {
    for await (const batch of batches(jobs, BATCH_SIZE)) {
      for (const entry of batch) {
        const { job, own: ofEntry } = splitEntry(entry);
        results.push(await joinJob(run, job, ofEntry === undefined ? own : withOwn(own, ofEntry)));
      }
    }
  }
  return results as Result<Yield<JobOf<E>>>[];
}

/**
 * Kept with the run until it completes: a run that fails has joined nothing.
 *
 * @throws `TASKQ_ID_TAKEN` for an id that another task has by now; if one takes it later on, the run fails
 * @throws `TASKQ_LEASE_LOST` when the run is over
 */
async function joinJob(run: EnqueuingRun, job: Job, options: EnqueueOptions | undefined): Promise<Result> {
  const { engine } = run;
  const now = engine.time.now();
  const building = buildFlow(engine, compositionOf(job, "enqueue"), checkedEnqueue(options ?? {}, now), now);
  // Joined at once where that can be: a handler may end without waiting for it.
  const built = building instanceof Promise ? await building : building;
  const named = namedRows(built);
  if (named.length > 0) await refuseTaken(engine, named);
  if (run.isOver) {
    throw new TaskqError(
      "TASKQ_LEASE_LOST",
      "the job was not joined: this run is over, or no longer the job's",
    );
  }
  (run.joined ??= []).push(built);
  const { flow, stages } = built;
  return createResult(engine, flow.end, { existing: false, ofFlow: isOfFlow(built), stages });
}

async function refuseTaken(engine: Engine, named: ReturnType<typeof namedRows>): Promise<void> {
  const ids = named.map(({ id }) => id);
  const there = await engine.storage.read({ queue: engine.name, ids, now: engine.time.requestNow() });
  for (const [place, record] of there.entries()) {
    const row = named[place];
    if (record === undefined || row === undefined) continue;
    const asked = "task" in row ? row.task : "";
    const known = record.kind === "job" ? record.task : "";
    if (known !== asked) throw takenError(row.id, known, asked);
  }
}

function withoutJoin(options: (EnqueueOptions & JoinOption) | undefined): {
  readonly own: EnqueueOptions | undefined;
  readonly join: boolean;
} {
  if (options === undefined) return { own: undefined, join: false };
  refuseUnknown(options, [...enqueueOptionNames, "join"], "enqueue");
  const { join = false, ...own } = options;
  return { own: own, join: flag(join, "enqueue join") };
}
