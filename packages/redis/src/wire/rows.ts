/** Rows as they are stored, for those that this side writes and reads itself: `lua/rows.ts` has the whole of it. */
import { TaskqError, type ClaimedJob } from "@taskq/core/storage";
import { textSpans, unpackAll, type Span } from "./unpack.js";

/** Longer bytes stand apart from their row. */
export const INLINE = 512;
/** The order and the instant of its enqueue, which the server writes. */
const HEAD = 11;
/** The place of the body among what follows. */
const BODY_AT = 19;
/** The numbers of what few rows have; `RARE` in `lua/rows.ts` has all. */
export const SELDOM = { expiresAt: 1, once: 2, gates: 6, keep: 8 } as const;

/** The key of a row under an id that core made. */
export function placeOf(id: string): string | undefined {
  return isMade(id) ? id.slice(0, PLACE) : undefined;
}

/** Whether core may have made an id. As `splitId`, and much quicker. */
function isMade(id: string): boolean {
  if (id.length !== MADE || !mayBegin(id)) return false;
  for (let place = 0; place < MADE; place += 1) if (DIGITS[id.charCodeAt(place)] !== 1) return false;
  return true;
}

/** Of an id that core made: its length, and that of the key; the rest is random. */
export const MADE = 22;
export const PLACE = 14;
/** Where the digits begin that count within a millisecond. */
const LOW = 9;
const [ONE, THREE] = ["1".charCodeAt(0), "3".charCodeAt(0)];
/** 1 under the code of each. */
export const DIGITS: Uint8Array = new Uint8Array(128);
for (const digit of "0123456789abcdefghijklmnopqrstuv") DIGITS[digit.charCodeAt(0)] = 1;

/** Whether neither of both numbers of an id is too large. */
export function mayBegin(id: string): boolean {
  return id.charCodeAt(0) <= THREE && id.charCodeAt(LOW) <= ONE;
}

/**
 * The jobs that the short path of a step has claimed.
 *
 * @param packed a list of each one's key and row
 * @param bodies keys, each with the body of its row, for those that stand apart: packed if they are not long; or nothing
 * @throws `TASKQ_STORAGE`
 */
export function claimedRows(packed: Buffer, bodies: Bodies, leaseUntil: number): ClaimedJob[] {
  const jobs: ClaimedJob[] = [];
  if (packed.length === 0) return jobs;
  const spans = textSpans(packed);
  const apart = apartOf(bodies);
  for (let place = 1; place < spans.length; place += 2) {
    const [key, row] = [spans[place - 1], spans[place]];
    if (key === undefined || row === undefined) break;
    jobs.push(
      claimedRow(packed.toString("utf8", key.from, key.to), { bytes: packed, span: row, apart, leaseUntil }),
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
  readonly leaseUntil: number;
}

function claimedRow(key: string, { bytes, span, apart, leaseUntil }: ClaimedRow): ClaimedJob {
  const { from, to } = span;
  if (to - from < HEAD) throw new TaskqError("TASKQ_STORAGE", "redis: a stored row is cut off");
  const enqueuedAt = bytes.readUIntBE(from + 5, 6);
  const [
    due,
    ,
    task,
    seldom,
    attempt,
    failures,
    crashes,
    fence,
    ,
    startedAt,
    ,
    ,
    ,
    ,
    ,
    ,
    ,
    suffix,
    priority,
    body,
  ] = unpackAll(bytes, BODY_AT, { from: from + HEAD, to });
  const more = (seldom ?? []) as readonly unknown[];
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
    expiresAt: behind(more, SELDOM.expiresAt) as number | undefined,
    delivery: behind(more, SELDOM.once) === true ? "at-most-once" : "at-least-once",
    body: body instanceof Uint8Array ? body : (apart.get(key) ?? new Uint8Array()),
    begun: startedAt !== undefined,
    leaseUntil,
    verdict: undefined,
    sources: undefined,
    guards: undefined,
  };
}

function behind(seldom: readonly unknown[], wanted: number): unknown {
  for (let at = 0; at < seldom.length; at += 2) if (seldom[at] === wanted) return seldom[at + 1];
  return undefined;
}
