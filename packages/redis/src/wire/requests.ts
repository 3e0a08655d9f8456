/** Requests as the scripts read them. */
import type { CallParameter } from "../connection/caller.js";
import { pack } from "./pack.js";
import type {
  EdgeCondition,
  NewFlow,
  NewJob,
  RunReference,
  SettledOutcome,
  Settlement,
} from "@taskq/core/storage";

import { INLINE, placeOf, restOf } from "./rows.js";

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

/** Id, fence, start, and what it is: as the script `step` reads it. */
export function settlementParameters(
  to: CallParameter[],
  { id, fence, startedAt, outcome, add }: Settlement,
): void {
  to.push(id, fence, startedAt, endingOf(outcome, add));
}

function endingOf(outcome: SettledOutcome, add: Settlement["add"]): CallParameter {
  const flows = add === undefined || add.length === 0 ? undefined : add.map(flowRequest);
  if (outcome.kind === "completed" && flows === undefined) {
    return outcome.result === undefined ? "-" : Buffer.concat([RESULT, outcome.result]);
  }
  const packed = pack({
    kind: outcome.kind,
    bytes: bytesOf(outcome),
    reason: "reason" in outcome ? outcome.reason : undefined,
    due: "due" in outcome ? outcome.due : undefined,
    counts: outcome.kind === "retry" ? outcome.counts : undefined,
    add: flows,
  });
  return Buffer.concat([OTHER, packed]);
}

const RESULT = Buffer.from("+");
const OTHER = Buffer.from("?");

function bytesOf(outcome: SettledOutcome): Uint8Array | undefined {
  if (outcome.kind === "completed") return outcome.result;
  return "error" in outcome ? outcome.error : undefined;
}

export function runRequest({ id, fence }: RunReference): unknown {
  return [id, fence];
}

/**
 * Jobs that belong to no flow, hold no key and were given no id, each as the script `add` takes it; `undefined` if there
 * is any other.
 */
export function plainParameters(flows: readonly NewFlow[]): CallParameter[] | undefined {
  const parameters: CallParameter[] = [];
  const keys = new Set<string>();
  for (const { jobs, joins } of flows) {
    const [job] = jobs;
    if (job === undefined || jobs.length > 1 || joins.length > 0) return undefined;
    const key = placeOf(job.id);
    if (key === undefined || job.named || job.unique !== undefined || job.after !== undefined)
      return undefined;
    keys.add(key);
    const apart = job.body.length > INLINE;
    parameters.push(key, job.priority, job.due, apart ? job.body : "", restOf(job, apart));
  }
  return keys.size === flows.length ? parameters : undefined;
}
