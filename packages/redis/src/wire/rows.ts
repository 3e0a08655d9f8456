/** Rows as they are stored, for those that this side writes and reads itself: `lua/rows.ts` has the whole of it. */
import { TaskqError, type ClaimedJob, type NewJob, type NewKeep } from "@taskq/core/storage";
import { pack, type Writer } from "./pack.js";
import { textSpans, unpackAll, type Span } from "./unpack.js";

/** Longer bytes stand apart from their row. */
export const INLINE = 512;
/** Of an id that core made: the rest is random. */
const PLACE = 14;
/** The order and the instant of its enqueue, which the server writes. */
const HEAD = 11;
/** The place of the body among what follows. */
const BODY_AT = 19;
/** The numbers of what few rows have; `RARE` in `lua/rows.ts` has all. */
const [EXPIRES_AT, ONCE, GATES, KEEP] = [1, 2, 6, 8];

/** The key of a row under an id that core made. */
export function placeOf(id: string): string | undefined {
  return isMade(id) ? id.slice(0, PLACE) : undefined;
}

/** Whether core may have made an id; its bytes are then those of `madeKey` and what follows. As `splitId`, and much quicker. */
export function isMade(id: string): boolean {
  if (id.length !== MADE || made.write(id) !== MADE) return false;
  for (let place = 0; place < MADE; place += 1) if (DIGITS[made[place] ?? 0] !== 1) return false;
  return (made[0] ?? 0) <= THREE && (made[LOW] ?? 0) <= ONE;
}

const MADE = 22;
/** Where the digits begin that count within a millisecond. */
const LOW = 9;
const [ONE, THREE] = ["1".charCodeAt(0), "3".charCodeAt(0)];
const DIGITS = new Uint8Array(256);
for (const digit of "0123456789abcdefghijklmnopqrstuv") DIGITS[digit.charCodeAt(0)] = 1;
/** As many bytes as so many characters may take. */
const made = Buffer.alloc(MADE * 3);
/** Of the id that was looked at last: a text would be slow to cut. */
export const madeKey: Buffer = made.subarray(0, PLACE);
const madeSuffix = made.subarray(PLACE, MADE);

/** Writes the key of a new job, whose id was looked at last, and what follows the due and the state in its row. */
export function writeRow(writer: Writer, job: NewJob, apart: boolean): void {
  writer.value(madeKey);
  const from = writer.begin();
  if (job.task !== lastTask) {
    lastTask = job.task;
    packedTask = pack(job.task);
  }
  writer.packed(packedTask);
  const seldom = seldomOf(job);
  writer.value(seldom.length > 0 ? seldom : undefined);
  writer.packed(NOTHING_YET);
  writer.value(apart ? job.body.length : undefined);
  writer.value(madeSuffix);
  writer.value(job.priority);
  writer.value(apart ? undefined : job.body);
  writer.value(undefined);
  writer.end(from);
}

/** Most jobs that are stored one after the other are of one task. */
let lastTask: string | undefined;
let packedTask: Buffer = Buffer.alloc(0);

/** Attempt, failures, crashes, two fences; then what a run leaves. */
const NOTHING_YET = Buffer.concat([Buffer.alloc(5), Buffer.alloc(7, 0xc0)]);

const NOTHING: readonly unknown[] = [];

/** What few jobs have, each behind its number. */
function seldomOf({ expiresAt, delivery, gates, keep }: NewJob): readonly unknown[] {
  if (expiresAt === undefined && delivery !== "at-most-once" && gates === undefined && keep === undefined) {
    return NOTHING;
  }
  const seldom: unknown[] = [];
  if (expiresAt !== undefined) seldom.push(EXPIRES_AT, expiresAt);
  if (delivery === "at-most-once") seldom.push(ONCE, true);
  if (gates !== undefined) {
    const list = gates.map(({ kind, key, max, per, onBusy }) => [kind, key, max, per ?? false, onBusy]);
    seldom.push(GATES, list);
  }
  if (keep !== undefined) seldom.push(KEEP, keepOf(keep));
  return seldom;
}

function keepOf({ completed, failed, completedMax, failedMax }: NewKeep): readonly unknown[] {
  return [completed ?? false, failed ?? false, completedMax ?? false, failedMax ?? false];
}

/** What rows do not say of the claim that handed them out: they are as they were before. */
export interface ClaimOfRows {
  readonly fence: number;
  /** So many, the first, begin at once. */
  readonly begin: number;
  readonly leaseUntil: number;
}

/**
 * The jobs that the short path of a step has claimed.
 *
 * @param packed a list of each one's key and row
 * @param bodies keys, each with the body of its row, for those that stand apart: packed if they are not long; or nothing
 * @throws `TASKQ_STORAGE`
 */
export function claimedRows(packed: Buffer, bodies: Bodies, claim: ClaimOfRows): ClaimedJob[] {
  const jobs: ClaimedJob[] = [];
  if (packed.length === 0) return jobs;
  const spans = textSpans(packed);
  const apart = apartOf(bodies);
  for (let place = 1; place < spans.length; place += 2) {
    const [key, row] = [spans[place - 1], spans[place]];
    if (key === undefined || row === undefined) break;
    const begun = jobs.length < claim.begin;
    jobs.push(
      claimedRow(packed.toString("utf8", key.from, key.to), {
        bytes: packed,
        span: row,
        apart,
        claim,
        begun,
      }),
    );
  }
  return jobs;
}

/** As the script tells them. */
export type Bodies = Buffer | readonly Buffer[];

/** By key. */
function apartOf(bodies: Bodies): ReadonlyMap<string, Uint8Array> {
  const apart = new Map<string, Uint8Array>();
  if (bodies.length === 0) return apart;
  if (!Buffer.isBuffer(bodies)) {
    for (let place = 1; place < bodies.length; place += 2) {
      const body = bodies[place];
      if (body !== undefined) apart.set(String(bodies[place - 1]), new Uint8Array(body));
    }
    return apart;
  }
  const spans = textSpans(bodies);
  for (let place = 1; place < spans.length; place += 2) {
    const [key, body] = [spans[place - 1], spans[place]];
    if (key === undefined || body === undefined) break;
    apart.set(bodies.toString("utf8", key.from, key.to), new Uint8Array(bodies.subarray(body.from, body.to)));
  }
  return apart;
}

interface ClaimedRow {
  readonly bytes: Buffer;
  readonly span: Span;
  readonly apart: ReadonlyMap<string, Uint8Array>;
  readonly claim: ClaimOfRows;
  readonly begun: boolean;
}

function claimedRow(key: string, { bytes, span, apart, claim, begun }: ClaimedRow): ClaimedJob {
  const { from, to } = span;
  if (to - from < HEAD) throw new TaskqError("TASKQ_STORAGE", "redis: a stored row is cut off");
  const enqueuedAt = bytes.readUIntBE(from + 5, 6);
  const [due, , task, seldom, attempt, failures, crashes, , , , , , , , , , , suffix, priority, body] =
    unpackAll(bytes, BODY_AT, { from: from + HEAD, to });
  const more = (seldom ?? []) as readonly unknown[];
  return {
    id: typeof suffix === "string" ? key + suffix : key.slice(1),
    task: task as string,
    fence: claim.fence,
    attempt: (attempt as number) + 1,
    failures: failures as number,
    crashes: crashes as number,
    priority: priority as number,
    enqueuedAt,
    due: enqueuedAt + (due as number),
    expiresAt: behind(more, EXPIRES_AT) as number | undefined,
    delivery: behind(more, ONCE) === true ? "at-most-once" : "at-least-once",
    body: body instanceof Uint8Array ? body : (apart.get(key) ?? new Uint8Array()),
    begun,
    leaseUntil: claim.leaseUntil,
    verdict: undefined,
    sources: undefined,
    guards: undefined,
  };
}

function behind(seldom: readonly unknown[], wanted: number): unknown {
  for (let at = 0; at < seldom.length; at += 2) if (seldom[at] === wanted) return seldom[at + 1];
  return undefined;
}
