/** Requests as the scripts read them. */
import type {
  EdgeCondition,
  NewFlow,
  NewJob,
  RunReference,
  SettledOutcome,
  Settlement,
} from "@taskq/core/storage";

/** A condition as it is stored. */
const CODES: Readonly<Record<EdgeCondition, string>> = { completed: "c", failed: "f", settled: "s" };

/** What is left out where it says nothing. */
export function flowRequest({ end, jobs, joins }: NewFlow): unknown {
  return {
    end,
    jobs: jobs.map(jobRequest),
    joins: joins.map(({ id, mode, members }) => ({ id, mode, members })),
  };
}

function jobRequest(job: NewJob): unknown {
  return {
    id: job.id,
    named: job.named ? true : undefined,
    task: job.task,
    body: job.body,
    priority: job.priority,
    due: job.due,
    expiresAt: job.expiresAt,
    once: job.delivery === "at-most-once" ? true : undefined,
    after: job.after?.map(({ source, on }) => [source, CODES[on]]),
    gates: job.gates,
    unique: job.unique,
    keep: job.keep,
  };
}

export function settlementRequest({ id, fence, startedAt, outcome, add }: Settlement): unknown {
  return {
    id,
    fence,
    startedAt,
    kind: outcome.kind,
    bytes: bytesOf(outcome),
    reason: "reason" in outcome ? outcome.reason : undefined,
    due: "due" in outcome ? outcome.due : undefined,
    counts: outcome.kind === "retry" ? outcome.counts : undefined,
    add: add === undefined || add.length === 0 ? undefined : add.map(flowRequest),
  };
}

function bytesOf(outcome: SettledOutcome): Uint8Array | undefined {
  if (outcome.kind === "completed") return outcome.result;
  return "error" in outcome ? outcome.error : undefined;
}

export function runRequest({ id, fence }: RunReference): unknown {
  return [id, fence];
}
