/** Rows as they are stored, for those that this side writes and reads itself: `lua/rows.ts` has the whole of it. */
import { TaskqError, type ClaimedJob, type NewJob, type NewKeep } from "@taskq/core/storage";
import { pack, type Writer } from "./pack.js";
import { Reader } from "./unpack.js";

/** Longer bytes stand apart from their row. */
export const INLINE = 512;
/** Of an id that core made: the rest is random. */
const PLACE = 14;
/** The order and the instant of its enqueue, which the server writes. */
const HEAD = 11;
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
  const rows = new Rows(packed, apartOf(bodies), claim);
  while (rows.areLeft) jobs.push(rows.next(jobs.length < claim.begin));
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

const NONE_APART: ReadonlyMap<string, Uint8Array> = new Map();
/** Bodies are parts of copies of about so many bytes: a job that runs long keeps one of them, and not the whole answer. */
const COPIED = 8_192;

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

  next(begun: boolean): ClaimedJob {
    const [packed, reader, claim] = [this.#packed, this.#reader, this.#claim];
    this.#left -= 2;
    const keySize = reader.passText();
    const keyFrom = reader.at - keySize;
    const size = reader.passText();
    const to = reader.at;
    if (size < HEAD) throw new TaskqError("TASKQ_STORAGE", "redis: a stored row is cut off");
    const enqueuedAt = packed.readUIntBE(to - size + 5, 6);
    reader.within(to - size + HEAD, to);
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
    const priority = reader.value(false) as number;
    const body = reader.hasText() ? this.#body(to - size, to) : undefined;
    reader.within(to, packed.length);
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
      expiresAt: behind(seldom, EXPIRES_AT) as number | undefined,
      delivery: behind(seldom, ONCE) === true ? "at-most-once" : "at-least-once",
      body: body ?? this.#apart.get(packed.toString("utf8", keyFrom, keyFrom + keySize)) ?? new Uint8Array(),
      begun,
      leaseUntil: claim.leaseUntil,
      verdict: undefined,
      sources: undefined,
      guards: undefined,
    };
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

function behind(seldom: readonly unknown[], wanted: number): unknown {
  for (let at = 0; at < seldom.length; at += 2) if (seldom[at] === wanted) return seldom[at + 1];
  return undefined;
}
