/** Requests as the scripts read them. */
import { pack, Writer } from "./pack.js";
import type {
  EdgeCondition,
  NewFlow,
  NewJob,
  RunReference,
  SettledOutcome,
  Settlement,
} from "@taskq/core/storage";

/** A condition as it is stored. */
export const CODES: Readonly<Record<EdgeCondition, string>> = { completed: "c", failed: "f", settled: "s" };

/** What is left out where it says nothing. */
export function flowRequest({ end, jobs, joins }: NewFlow): unknown {
  return {
    end,
    jobs: jobs.map(jobRequest),
    joins: joins.map(({ id, named, mode, members }) => ({
      id,
      named: named === true ? true : undefined,
      mode,
      members,
    })),
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

/** Of each id, fence, start, what it is, and bytes: as the script `step` reads them. */
export function settlementsRequest(settlements: readonly Settlement[]): Buffer {
  const writer = new Writer();
  writer.list(settlements.length * 5);
  for (const settlement of settlements) {
    const { id, fence, startedAt, outcome, add } = settlement;
    writer.value(id);
    writer.value(fence);
    writer.value(startedAt);
    if (goesLong(settlement)) {
      writer.value(OTHER);
      writer.value(otherOf(outcome, addsFlows(add) ? add.map(flowRequest) : undefined));
    } else if (outcome.kind === "quarantined") {
      writer.value(QUARANTINED);
      writer.value(outcome.error);
    } else if (outcome.kind === "completed") {
      writer.value(outcome.result === undefined ? COMPLETED : RESULT);
      writer.value(outcome.result ?? "");
    }
  }
  return writer.bytes();
}

function addsFlows(add: Settlement["add"]): add is NonNullable<Settlement["add"]> {
  return add !== undefined && add.length > 0;
}

/** Whether the short way of a step leaves it to the long one. */
export function goesLong({ outcome: { kind }, add }: Settlement): boolean {
  return kind !== "quarantined" && (kind !== "completed" || addsFlows(add));
}

const [COMPLETED, RESULT, OTHER, QUARANTINED] = [0, 1, 2, 3];

function otherOf(outcome: SettledOutcome, add: readonly unknown[] | undefined): Buffer {
  return pack({
    kind: outcome.kind,
    bytes: bytesOf(outcome),
    reason: "reason" in outcome ? outcome.reason : undefined,
    due: "due" in outcome ? outcome.due : undefined,
    counts: outcome.kind === "retry" ? outcome.counts : undefined,
    ...(outcome.kind === "keyed" ? { body: outcome.body, gates: outcome.gates, unique: outcome.unique } : {}),
    add,
  });
}

function bytesOf(outcome: SettledOutcome): Uint8Array | undefined {
  if (outcome.kind === "completed") return outcome.result;
  return "error" in outcome ? outcome.error : undefined;
}

export function runRequest({ id, fence }: RunReference): unknown {
  return [id, fence];
}
