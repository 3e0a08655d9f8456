/** Facts of a storage as sentences for people. */
import type { ExplainCause, ExplainFact } from "../storage.js";
import type { Explanation } from "../vocabulary/introspection.js";

type Cause = Explanation["causes"][number];

export function explanationOf(fact: ExplainFact): Explanation {
  return { id: fact.id, state: fact.state, causes: fact.causes.map((cause) => causeOf(cause, fact)) };
}

function causeOf(cause: ExplainCause, fact: ExplainFact): Cause {
  const { code, ...evidence } = cause;
  return { code, message: sentenceOf(cause, fact), evidence };
}

function sentenceOf(cause: ExplainCause, { state, causes }: ExplainFact): string {
  switch (cause.code) {
    case "not-due":
      return `It is due at ${instant(cause.at)}.`;
    case "blocked":
      return `It waits for what comes before it: ${cause.by.join(", ")}.`;
    case "locked":
      if (cause.gate.startsWith(UNIQUE))
        return behind("of its unique key", cause.gate.slice(UNIQUE.length), cause.holders);
      if (cause.gate.startsWith(SCHEDULE))
        return behind("before of the schedule", cause.gate.slice(SCHEDULE.length), cause.holders);
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
      return `It is ready, and ${cause.ahead} ${cause.ahead === 1 ? "job goes" : "jobs go"} before it${nothingElse(causes) ? ASKED_FOR : ""}.`;
    case "running":
      return `It has been running since ${instant(cause.since)}, by ${cause.owner}.`;
    case "retrying":
      return `It failed ${times(cause.failures)} and is tried again at ${instant(cause.at)}.`;
    case "crashed":
      return `Its consumer died in mid-run ${times(cause.crashes)}.`;
    case "expired":
      return `It expired at ${instant(cause.at)}: it will not run, and ends when its turn comes.`;
    case "final":
      return `It is ${state}${cause.reason === undefined || cause.reason === state ? "" : `: ${cause.reason}`}${cause.cause === undefined ? "" : `, because of job ${cause.cause}`}.`;
  }
}

/** Nobody knows which consumers there are: one that runs may just be busy. */
const ASKED_FOR = ": it runs as soon as a consumer asks for jobs";

/** Whether a job that waits for its turn waits for that alone. */
function nothingElse(causes: readonly ExplainCause[]): boolean {
  return causes.every(({ code }) => code === "waiting" || code === "crashed");
}

/** Lines that others stand in than those of locks. */
const UNIQUE = "unique:";
const SCHEDULE = "schedule:";

function behind(which: string, name: string, holders: readonly string[]): string {
  return `It waits until the job ${which} '${name}' is done: ${people(holders)}.`;
}

function instant(time: number): string {
  const date = new Date(time);
  // What a store says that somebody has written into may be further away than any date.
  return Number.isNaN(date.getTime()) ? `${time} ms` : date.toISOString();
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
