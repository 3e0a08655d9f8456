/** Rows as they are stored, for those that this side writes and reads itself: `lua/rows.ts` has the whole of it. */
import { TaskqError, type ClaimedJob, type JobGuards } from "@taskq/core/storage";
import { Reader } from "./unpack.js";

/** Longer bytes stand apart from their row. */
export const INLINE = 512;
/** The order and the instant of its enqueue, which the server writes. */
const HEAD = 11;
/** The numbers of what few rows have; `RARE` in `lua/rows.ts` has all. */
export const SELDOM = {
  expiresAt: 1,
  once: 2,
  named: 3,
  gates: 6,
  unique: 7,
  keep: 8,
  after: 9,
  edges: 10,
  dependents: 11,
  waits: 12,
  flow: 19,
} as const;
/** Whether something hangs on a job when its run has ended that the short way of a step leaves to the long one. */
function hangsOn(seldom: readonly unknown[]): boolean {
  const last = seldom.at(-2) as number;
  if (last === SELDOM.unique) return (seldom.at(-1) as readonly unknown[])[1] !== "final";
  return last > SELDOM.unique;
}

/** The key of a row under an id that core made. */
export function placeOf(id: string): string | undefined {
  return isMade(id) ? id.slice(0, PLACE) : undefined;
}

/** The key of a row under this id. */
export function keyOf({ id, named }: { readonly id: string; readonly named?: boolean | undefined }): string {
  return named === true ? `!${id}` : (placeOf(id) ?? "");
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

/** What rows do not say of the claim that handed them out: they are as they were before. */
export interface ClaimOfRows {
  readonly fence: number;
  /** So many, the first, begin at once. */
  readonly begin: number;
  readonly leaseUntil: number;
  /** Told of jobs on which something hangs, by their ids. */
  readonly hangs: { add(id: string): void };
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
  const rows = new Rows(packed, apartOf(bodies), claim);
  while (rows.areLeft) {
    const job = rows.next(jobs.length < claim.begin);
    if (job !== undefined) jobs.push(job);
  }
  return jobs;
}

/** As the script tells them. */
export type Bodies = Buffer | readonly Buffer[];

/** By key. */
function apartOf(bodies: Bodies): ReadonlyMap<string, Uint8Array> {
  if (bodies.length === 0) return NONE_APART;
  const apart = new Map<string, Uint8Array>();
  if (!Buffer.isBuffer(bodies)) {
    for (let place = 1; place < bodies.length; place += 2) {
      const body = bodies[place];
      if (body !== undefined) apart.set(String(bodies[place - 1]), new Uint8Array(body));
    }
    return apart;
  }
  const reader = new Reader(bodies);
  for (let left = reader.listSize(); left > 1; left -= 2) {
    const keySize = reader.passText();
    const key = bodies.toString("utf8", reader.at - keySize, reader.at);
    const size = reader.passText();
    apart.set(key, new Uint8Array(bodies.subarray(reader.at - size, reader.at)));
  }
  return apart;
}

const NOTHING: readonly unknown[] = [];
const NONE_APART: ReadonlyMap<string, Uint8Array> = new Map();
/** Bodies are parts of copies of about so many bytes: a job that runs long keeps one of them, and not the whole answer. */
const COPIED = 8_192;

/** Where a row lies in an answer, and its key before it. */
interface Place {
  readonly keyFrom: number;
  readonly keySize: number;
  readonly from: number;
  readonly to: number;
}

/** The rows of an answer, one after the other: each behind its key. */
class Rows {
  readonly #packed: Buffer;
  readonly #reader: Reader;
  readonly #apart: ReadonlyMap<string, Uint8Array>;
  readonly #claim: ClaimOfRows;
  #left: number;
  #copy = new Uint8Array(0);
  #copiedFrom = 0;

  constructor(packed: Buffer, apart: ReadonlyMap<string, Uint8Array>, claim: ClaimOfRows) {
    this.#packed = packed;
    this.#reader = new Reader(packed);
    this.#left = this.#reader.listSize();
    this.#apart = apart;
    this.#claim = claim;
  }

  get areLeft(): boolean {
    return this.#left > 1;
  }

  /** `undefined` for one that somebody has written into: its run ends with its lease, and keeps no other from its own. */
  next(begun: boolean): ClaimedJob | undefined {
    const reader = this.#reader;
    this.#left -= 2;
    const keySize = reader.passText();
    const keyFrom = reader.at - keySize;
    const size = reader.passText();
    const to = reader.at;
    try {
      return this.#job({ keyFrom, keySize, from: to - size, to }, begun);
    } catch {
      return undefined;
    } finally {
      reader.within(to, this.#packed.length);
    }
  }

  /** @throws `TASKQ_STORAGE` */
  #job({ keyFrom, keySize, from, to }: Place, begun: boolean): ClaimedJob {
    const [packed, reader, claim] = [this.#packed, this.#reader, this.#claim];
    if (to - from < HEAD) throw new TaskqError("TASKQ_STORAGE", "redis: a stored row is cut off");
    const enqueuedAt = packed.readUIntBE(from + 5, 6);
    reader.within(from + HEAD, to);
    const due = reader.value(false) as number;
    reader.pass(1);
    const task = this.#task();
    const seldom = (reader.value(false) ?? NOTHING) as readonly unknown[];
    const attempt = reader.value(false) as number;
    const failures = reader.value(false) as number;
    const crashes = reader.value(false) as number;
    // Two fences; what a run leaves, the length of a body that stands apart.
    reader.pass(10);
    const id = this.#id(keyFrom, keySize);
    if (seldom !== NOTHING && hangsOn(seldom)) claim.hangs.add(id);
    const { priority, body } = this.#rest(from, to);
    return {
      id,
      task,
      fence: claim.fence,
      attempt: attempt + 1,
      failures,
      crashes,
      priority,
      enqueuedAt,
      due: enqueuedAt + due,
      expiresAt: behind(seldom, SELDOM.expiresAt) as number | undefined,
      delivery: behind(seldom, SELDOM.once) === true ? "at-most-once" : "at-least-once",
      body: body ?? this.#apart.get(packed.toString("utf8", keyFrom, keyFrom + keySize)) ?? new Uint8Array(),
      begun,
      leaseUntil: claim.leaseUntil,
      verdict: undefined,
      sources: undefined,
      guards: seldom === NOTHING ? undefined : guardsIn(seldom),
    };
  }

  /** Of one that is cut off there, nothing: the job is quarantined as one whose body cannot be read. */
  #rest(from: number, to: number): { readonly priority: number; readonly body: Uint8Array | undefined } {
    const reader = this.#reader;
    try {
      const priority = reader.value(false) as number;
      return { priority, body: reader.hasText() ? this.#body(from, to) : undefined };
    } catch {
      return { priority: 0, body: undefined };
    }
  }

  /** Most are of the same task as the one before. */
  #task(): string {
    const [packed, reader] = [this.#packed, this.#reader];
    const size = reader.passText();
    const from = reader.at - size;
    if (size === readTask.length && isSame(packed, from, readTask)) return readTaskName;
    readTask = new Uint8Array(packed.subarray(from, from + size));
    readTaskName = packed.toString("utf8", from, from + size);
    return readTaskName;
  }

  /** Its key and the rest, as one text: joined ones are joined anew by whoever looks one up. */
  #id(keyFrom: number, keySize: number): string {
    const [packed, reader] = [this.#packed, this.#reader];
    if (!reader.hasText()) return packed.toString("utf8", keyFrom + 1, keyFrom + keySize);
    const size = reader.passText();
    if (keySize + size !== MADE)
      throw new TaskqError("TASKQ_STORAGE", "redis: the id of a stored row is cut off");
    const restFrom = reader.at - size;
    for (let place = 0; place < MADE; place += 1) {
      readId[place] = packed[place < keySize ? keyFrom + place : restFrom + place - keySize] ?? 0;
    }
    return readId.toString("latin1");
  }

  /** Of the row that lies there. */
  #body(from: number, to: number): Uint8Array {
    if (to > this.#copiedFrom + this.#copy.length) {
      this.#copiedFrom = from;
      this.#copy = new Uint8Array(this.#packed.subarray(from, Math.max(to, from + COPIED)));
    }
    const size = this.#reader.passText();
    return this.#copy.subarray(this.#reader.at - size - this.#copiedFrom, this.#reader.at - this.#copiedFrom);
  }
}

let readTask = new Uint8Array(0);
let readTaskName = "";
const readId = Buffer.alloc(MADE);

function isSame(bytes: Uint8Array, from: number, wanted: Uint8Array): boolean {
  for (let place = 0; place < wanted.length; place += 1)
    if (bytes[from + place] !== wanted[place]) return false;
  return true;
}

/** As the claim's message is to have them: `lua/answers.ts` tells the same of other claims. */
function guardsIn(seldom: readonly unknown[]): JobGuards | undefined {
  const unique = behind(seldom, SELDOM.unique) as readonly [key: string] | undefined;
  const after = behind(seldom, SELDOM.after) as readonly string[] | undefined;
  const gates = behind(seldom, SELDOM.gates) as readonly (readonly [kind: string, key: string])[] | undefined;
  if (unique === undefined && after === undefined && gates === undefined) return undefined;
  return { gates: gates?.map(([, key]) => key) ?? [], unique: unique?.[0], after: after ?? [] };
}

function behind(seldom: readonly unknown[], wanted: number): unknown {
  for (let at = 0; at < seldom.length; at += 2) if (seldom[at] === wanted) return seldom[at + 1];
  return undefined;
}
