import type { Finding } from "./findings.js";

/** Of a queue in several partitions. */
export interface LostParts {
  readonly lost: readonly number[];
  readonly of: number;
}

export interface Loss {
  readonly queue: string;
  readonly parts: LostParts | undefined;
  /** Where it was, for people. */
  readonly description: string;
  /** What is to be said of the servers now; `undefined` if nobody could look. */
  readonly findings: readonly Finding[] | undefined;
}

/** Pauses are known to all partitions. */
const OF_HOME = "all its jobs, schedules, values and locks";
const ALL = "all its jobs, schedules, values, locks and pauses";

function lostOf(parts: LostParts | undefined): string {
  if (parts === undefined || parts.lost.length === parts.of) return ALL;
  return parts.lost.includes(0) ? OF_HOME : "all jobs in it";
}

/** The warning that a queue, or a part of it, was gone from its server and was made anew. */
export function lossOf({ queue, parts, description, findings }: Loss): Finding {
  const isWhole = parts === undefined || parts.lost.length === parts.of;
  const what = isWhole ? `the queue "${queue}"` : `${partsText(parts)} of the queue "${queue}"`;
  const message =
    `${description}: ${what} was gone and has been opened anew, empty: the server was started again ` +
    `without what it had kept, or was flushed; ${lostOf(parts)} are lost. ${reasonOf(findings)}`;
  return { weight: "told", code: "TASKQ_REDIS_LOST", message };
}

/** What somebody has removed alone, and what follows from that. */
const REBUILT: Readonly<Record<string, string>> = {
  queue:
    "its own row (the key that ends with :queue) was gone and has been made anew from its jobs, which are kept; " +
    "pauses, revocations of tasks and the feed of events are lost",
  partition:
    "the own row of a partition (a key that ends with :queue) was gone and has been made anew from its jobs, which are kept; what is " +
    "paused and revoked there is what the other partitions say, and its part of the feed of events is lost",
  lines:
    "what jobs wait in or hold (a key that ends with :lines, :gates or :holds) was gone; they stand in line anew, and locks that were " +
    "held outside of jobs may be lost",
  opening:
    "what tells when lines open by themselves (the key that ends with :opening), those of limits above all, was gone; it is made anew " +
    "from them",
  places:
    "what tells where jobs stand (a key that ends with :ready, :blocks, :scheduled, :active or :claims) was gone; it is made anew " +
    "from the jobs, and some that run may run again",
};

/** The warning that a key of a queue was gone, and was made anew from the others. */
export function rebuiltOf(queue: string, what: string, description: string): Finding {
  const message =
    `${description}: of the queue "${queue}" ${REBUILT[what] ?? what}: look who removes keys (DEL, UNLINK, ` +
    "or a maxmemory-policy other than noeviction)";
  return { weight: "told", code: "TASKQ_REDIS_LOST", message };
}

function partsText({ lost, of }: LostParts): string {
  return `${lost.length === 1 ? "partition" : "partitions"} ${lost.join(", ")} (of ${of})`;
}

function reasonOf(findings: readonly Finding[] | undefined): string {
  const why = findings?.filter(({ code }) => code === "TASKQ_REDIS_PERSISTENCE") ?? [];
  if (why.length > 0) return `Persistence is off: ${why.map(({ message }) => message).join("; ")}`;
  const isSeen = findings?.every(({ code }) => code !== "TASKQ_REDIS_UNSEEN");
  return isSeen === true
    ? "Its append-only file is on now: look whether somebody flushed it (FLUSHALL, FLUSHDB) or removed its files"
    : "Whether it keeps an append-only file could not be seen";
}
