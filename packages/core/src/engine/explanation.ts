/** Facts of a storage as sentences for people. */
import type { ExplainCause, ExplainFact } from "../storage.js";
import type { Explanation } from "../vocabulary/introspection.js";

type Cause = Explanation["causes"][number];

export function explanationOf(fact: ExplainFact): Explanation {
  return { id: fact.id, state: fact.state, causes: fact.causes.map(causeOf) };
}

function causeOf(cause: ExplainCause): Cause {
  const { code, ...evidence } = cause;
  return { code, message: sentenceOf(cause), evidence };
}

function sentenceOf(cause: ExplainCause): string {
  switch (cause.code) {
    case "not-due":
      return `It is due at ${instant(cause.at)}.`;
    case "blocked":
      return `It waits for what comes before it: ${cause.by.join(", ")}.`;
    case "locked":
      return `The lock '${cause.gate}' is held by ${people(cause.holders)}${ahead(cause.ahead)}.`;
    case "no-slot":
      return `All runs that '${cause.gate}' allows at a time are taken, by ${people(cause.holders)}${ahead(cause.ahead)}.`;
    case "limited":
      return `The limit '${cause.gate}' is used up${cause.opensAt === undefined ? "" : ` until ${instant(cause.opensAt)}`}${ahead(cause.ahead)}.`;
    case "paused":
      return cause.task === undefined ? "The queue is paused." : `The task '${cause.task}' is paused.`;
    case "revoked":
      return `The task '${cause.task ?? ""}' is revoked: the job will be cancelled when its turn comes.`;
    case "no-consumer":
      return `No consumer that has asked for jobs knows the task '${cause.task ?? ""}'.`;
    case "waiting":
      return `It is ready, and ${cause.ahead} ${cause.ahead === 1 ? "job goes" : "jobs go"} before it.`;
    case "running":
      return `It has been running since ${instant(cause.since)}, by ${cause.owner}.`;
    case "retrying":
      return `It failed ${times(cause.failures)} and is tried again at ${instant(cause.at)}.`;
    case "crashed":
      return `Its consumer died in mid-run ${times(cause.crashes)}.`;
    case "final":
      return `It is final${cause.reason === undefined ? "" : `: ${cause.reason}`}${cause.cause === undefined ? "" : `, because of job ${cause.cause}`}.`;
  }
}

function instant(time: number): string {
  return new Date(time).toISOString();
}

function people(names: readonly string[]): string {
  return names.length === 0 ? "somebody" : names.join(", ");
}

function ahead(count: number): string {
  return count === 0 ? "" : `, and ${count} more ${count === 1 ? "waits" : "wait"} before it`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
