/** Rows as they are stored, for those that this side writes and reads itself: `lua/rows.ts` has the whole of it. */
import { splitId, type ClaimedJob, type NewJob } from "@taskq/core/storage";
import { packAll } from "./pack.js";
import { unpackAll, type AnswerRecord } from "./unpack.js";

/** Longer bytes stand apart from their row. */
export const INLINE = 512;
/** Of an id that core made: the rest is random. */
const PLACE = 14;
/** The order and the instant of its enqueue, which the server writes. */
const HEAD = 11;

/** The key of a row under an id that core made. */
export function placeOf(id: string): string | undefined {
  return splitId(id) === undefined ? undefined : id.slice(0, PLACE);
}

/** What follows the due and the state in the row of a new job. */
export function restOf(job: NewJob, apart: boolean): Buffer {
  const { expiresAt, gates, keep } = job;
  const once = job.delivery === "at-most-once" ? true : undefined;
  const seldom =
    expiresAt === undefined && gates === undefined && keep === undefined && once === undefined
      ? undefined
      : { expiresAt, once, gates, keep };
  const body = apart ? job.body.length : job.body;
  const zeros = [0, 0, 0, 0, 0];
  const none = [undefined, undefined, undefined, undefined, undefined, undefined];
  return packAll([job.id.slice(PLACE), job.task, job.priority, ...zeros, body, ...none, seldom]);
}

/** A job that the short path of a step has claimed. */
export function claimedRow(
  key: string,
  row: Buffer,
  { apart, leaseUntil }: { readonly apart: Buffer | undefined; readonly leaseUntil: number },
): ClaimedJob {
  const enqueuedAt = row.readUIntBE(5, 6);
  const [due, , suffix, task, priority, attempt, failures, crashes, fence, , body, , , , , , run, seldom] =
    unpackAll(row.subarray(HEAD), BODY_AT);
  const more = (seldom ?? {}) as AnswerRecord;
  return {
    id: typeof suffix === "string" ? key + suffix : key.slice(1),
    task: task as string,
    fence: fence as number,
    attempt: attempt as number,
    failures: failures as number,
    crashes: crashes as number,
    priority: priority as number,
    enqueuedAt,
    due: enqueuedAt + (due as number),
    expiresAt: more["expiresAt"] as number | undefined,
    delivery: more["once"] === true ? "at-most-once" : "at-least-once",
    body: body instanceof Uint8Array ? body : new Uint8Array(apart ?? []),
    begun: (run as readonly unknown[])[2] === true,
    leaseUntil,
    verdict: undefined,
    sources: undefined,
    guards: undefined,
  };
}

/** The place of the body among the entries of a row. */
const BODY_AT = 10;
