/** Jobs prepared for a storage's own transaction. */
import { compositionOf } from "../composition.js";
import { TaskqError } from "../errors.js";
import { unexpected } from "../options.js";
import type {
  EnqueueAnswer,
  NewFlow,
  OpenRequest,
  RunReference,
  StorageContract,
  StoredFlow,
} from "../storage.js";
import type { EnqueueOptions } from "../vocabulary/enqueue-options.js";
import type { PreparedJob } from "../vocabulary/queue.js";
import type { Result } from "../vocabulary/result.js";
import type { Job } from "../vocabulary/task-and-job.js";
import type { Engine } from "./engine-types.js";
import { resultOf, storedJobs } from "./enqueue.js";
import { checkedEnqueue, NO_OPTIONS, type CheckedEnqueue } from "./enqueue-options.js";
import { buildFlow, type BuiltFlow } from "./flow.js";
import { reportEnqueued } from "./report.js";
import { runOn } from "./run-scope.js";

/** A prepared job as a storage sees it. */
export interface PreparedFlow {
  /** The storage that it was prepared for: another one must refuse it. */
  readonly storage: StorageContract;
  /** The queue, to be made ready where it is not. */
  readonly open: OpenRequest;
  readonly flow: NewFlow;
  /** Virtual time, as in every request. */
  readonly now: number | undefined;
  /** The run of that queue within which this is asked. */
  run(): RunReference | undefined;
  /** The handle, once the flow is stored within the transaction. */
  result(stored: StoredFlow): Result;
  /** To be called once the transaction is committed: sends the events, and executes what is due in immediate mode. */
  committed(answer: EnqueueAnswer): Promise<void> | undefined;
}

const prepared = new WeakMap<PreparedJob<unknown>, PreparedFlow>();

export async function prepareJob(
  engine: Engine,
  job: Job,
  options: EnqueueOptions | undefined,
): Promise<PreparedJob<unknown>> {
  const opening = engine.open();
  if (opening !== undefined) await opening;
  const now = engine.time.now();
  return made(engine, await buildFlow(engine, compositionOf(job, "prepare"), checked(options, now), now));
}

/**
 * Prepares at once, within a transaction.
 *
 * @throws `TASKQ_ASYNC_IN_TRANSACTION` where a schema or a middleware is not synchronous
 */
export function prepareNow(
  engine: Engine,
  job: Job,
  options: EnqueueOptions | undefined,
): PreparedJob<unknown> {
  engine.assertOpen();
  const now = engine.time.now();
  const built = buildFlow(engine, compositionOf(job, "enqueue"), checked(options, now), now);
  if (!(built instanceof Promise)) return made(engine, built);
  // Nobody waits for it: what it then says is not heard.
  built.catch(() => {});
  throw new TaskqError(
    "TASKQ_ASYNC_IN_TRANSACTION",
    "a schema or a middleware of this queue is asynchronous: call queue.prepare(job) before the transaction, and tx.enqueue(prepared) in it",
  );
}

/** What is behind a prepared job. @throws `TASKQ_OPTION` for what `queue.prepare` did not make */
export function preparedFlow(job: PreparedJob<unknown>): PreparedFlow {
  const found = typeof job === "object" && job !== null ? prepared.get(job) : undefined;
  if (found !== undefined) return found;
  throw unexpected("tx.enqueue", "what queue.prepare answered, or a queue and a job", job);
}

function checked(options: EnqueueOptions | undefined, now: number): CheckedEnqueue {
  return options === undefined ? NO_OPTIONS : checkedEnqueue(options, now);
}

function made(engine: Engine, built: BuiltFlow): PreparedJob<unknown> {
  // The brand is in the type only.
  const job = Object.freeze({ id: built.flow.end }) as PreparedJob<unknown>;
  prepared.set(job, {
    storage: engine.storage,
    open: engine.openRequest,
    flow: built.flow,
    now: engine.time.requestNow(),
    run: () => runOn(engine),
    result: (stored) => resultOf(engine, built, stored),
    committed(answer) {
      reportEnqueued(engine, [built.flow], answer);
      return engine.runInline?.(storedJobs([built], answer.flows));
    },
  });
  return job;
}
