/**
 * New rows as the scripts `add` and `addMixed` take them, written byte by byte into one buffer: `lua/rows.ts` says what stands in them. Many calls
 * store one job, in a process that has just begun, where every function that is called takes its time: so these call few.
 */
import type { NewJob, NewKeep } from "@taskq/core/storage";
import { pack } from "./pack.js";
import { DIGITS, keyOf, MADE, mayBegin, PLACE, SELDOM } from "./rows.js";

const FIRST_SIZE = 16_384;
/** A larger one is not kept. */
const KEPT_SIZE = 1_048_576;
/** Of one job, beside what its row begins with, and its body. */
const MOST_AROUND = 96;
/** Heads of packed values. */
const [SHORT_LIST, LONG_LIST, SHORT_TEXT, TEXT, LONG_TEXT, LONG_COUNT, DOUBLE, NIL] = [
  0x90, 0xdd, 0xa0, 0xd9, 0xdb, 0xce, 0xcb, 0xc0,
] as const;
/** Attempt, failures, crashes, two fences; then what a run leaves. */
export const NOTHING_YET: Buffer = Buffer.concat([Buffer.alloc(5), Buffer.alloc(7, NIL)]);

/** What is written into, call by call, and up to where. */
let bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
let at = 0;

/** Begins with a list of at most so many jobs: of each run of them that are alike priority, due and how many, then two values of each. */
export function begin(most: number): void {
  at = most === 1 ? 1 : 5;
}

/** How many values there are, now that it is known: `begin` has left room for them. */
export function end(most: number, jobs: number, runs: number): Buffer {
  const values = jobs * 2 + runs * 3;
  if (most === 1) bytes[0] = SHORT_LIST | values;
  else writeLong(0, LONG_LIST, values);
  const own = Buffer.allocUnsafe(at);
  own.set(new Uint8Array(bytes.buffer, bytes.byteOffset, at));
  if (bytes.length > KEPT_SIZE) bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);
  return own;
}

/** What the jobs of a run have in common; answers where to say how many they are. */
export function beginRun({ priority, due }: NewJob, jobs: number): number {
  reserve(MOST_AROUND);
  writeNumber(priority);
  writeNumber(due);
  const place = at;
  at += jobs === 1 ? 1 : 5;
  return place;
}

export function endRun(place: number, alike: number, jobs: number): void {
  if (jobs === 1) bytes[place] = 1;
  else writeLong(place, LONG_COUNT, alike);
}

/**
 * The key of a job, and what follows due and state in its row.
 *
 * @param before where the key of the one before it stands; 0: it is the first
 * @returns where its key stands, negative if that does not come behind the one before; 0: core did not make the id
 */
export function writeRow(job: NewJob, isApart: boolean, before: number): number {
  const { id, body } = job;
  const front = frontOf(job);
  reserve(MOST_AROUND + front.length + (isApart ? 0 : body.length));
  const key = at + 1;
  bytes[at] = SHORT_TEXT | PLACE;
  const from = key + PLACE + 5;
  at = from;
  writeFront(front, job, isApart);
  bytes[at] = SHORT_TEXT | (MADE - PLACE);
  if (!writeId(id, key, at + 1)) return 0;
  at += 1 + MADE - PLACE;
  writeBack(job, isApart);
  writeLong(key + PLACE, LONG_TEXT, at - from);
  return before === 0 || isBehind(key, before) ? key : -key;
}

/** The same for a job that was given an id, which is its key. */
export function writeNamed(job: NewJob, isApart: boolean): void {
  const key = Buffer.from(keyOf(job));
  const front = frontOf(job);
  reserve(MOST_AROUND + key.length + front.length + (isApart ? 0 : job.body.length));
  writeLong(at, LONG_TEXT, key.length);
  bytes.set(key, at + 5);
  const head = at + 5 + key.length;
  at = head + 5;
  writeFront(front, job, isApart);
  bytes[at++] = NIL;
  writeBack(job, isApart);
  writeLong(head, LONG_TEXT, at - head - 5);
}

/** Up to the rest of its id. */
function writeFront(front: Buffer, { body }: NewJob, isApart: boolean): void {
  for (let place = 0; place < front.length; place += 1) bytes[at + place] = front[place] as number;
  at += front.length;
  if (isApart) writeNumber(body.length);
  else bytes[at++] = NIL;
}

/** From there on. */
function writeBack({ priority, body }: NewJob, isApart: boolean): void {
  writeNumber(priority);
  if (isApart) bytes[at++] = NIL;
  else writeBody(body);
  bytes[at++] = NIL;
}

/** The key and the rest of an id, if core made it. */
function writeId(id: string, key: number, rest: number): boolean {
  if (id.length !== MADE || !mayBegin(id)) return false;
  for (let place = 0; place < MADE; place += 1) {
    const code = id.charCodeAt(place);
    if (DIGITS[code] !== 1) return false;
    bytes[place < PLACE ? key + place : rest + place - PLACE] = code;
  }
  return true;
}

/** Whether the key at one place comes behind that at another one. */
function isBehind(key: number, before: number): boolean {
  let place = 0;
  while (place < PLACE - 1 && bytes[key + place] === bytes[before + place]) place += 1;
  return (bytes[key + place] as number) > (bytes[before + place] as number);
}

/** Most jobs that are stored one after the other are of one task, and have nothing that few have. */
let lastTask: string | undefined;
let lastFront: Buffer = NOTHING_YET;

/** The task, what few jobs have, and what no run has left yet. */
function frontOf(job: NewJob): Buffer {
  const { task, named, expiresAt, delivery, gates, unique, keep } = job;
  if (
    named ||
    expiresAt !== undefined ||
    delivery === "at-most-once" ||
    gates !== undefined ||
    unique !== undefined ||
    keep !== undefined
  ) {
    return Buffer.concat([pack(task), pack(seldomOf(job)), NOTHING_YET]);
  }
  if (task !== lastTask) {
    lastTask = task;
    lastFront = Buffer.concat([pack(task), pack(undefined), NOTHING_YET]);
  }
  return lastFront;
}

/** What few jobs have, each behind its number. */
export function seldomOf({ named, expiresAt, delivery, gates, unique, keep }: NewJob): readonly unknown[] {
  const seldom: unknown[] = [];
  if (expiresAt !== undefined) seldom.push(SELDOM.expiresAt, expiresAt);
  if (delivery === "at-most-once") seldom.push(SELDOM.once, true);
  if (named) seldom.push(SELDOM.named, true);
  if (gates !== undefined) {
    const list = gates.map(({ kind, key, max, per, onBusy }) => [kind, key, max, per ?? false, onBusy]);
    seldom.push(SELDOM.gates, list);
  }
  if (unique !== undefined) seldom.push(SELDOM.unique, [unique.key, unique.until]);
  if (keep !== undefined) seldom.push(SELDOM.keep, keepOf(keep));
  return seldom;
}

function keepOf({ completed, failed, completedMax, failedMax }: NewKeep): readonly unknown[] {
  return [completed ?? false, failed ?? false, completedMax ?? false, failedMax ?? false];
}

function writeNumber(value: number): void {
  if (value >= 0 && value < 128 && Number.isInteger(value)) {
    bytes[at++] = value;
    return;
  }
  bytes[at] = DOUBLE;
  bytes.writeDoubleBE(value, at + 1);
  at += 9;
}

/** As text, which to the scripts is bytes. */
function writeBody(body: Uint8Array): void {
  const { length } = body;
  if (length < 32) bytes[at++] = SHORT_TEXT | length;
  else if (length < 256) {
    bytes[at] = TEXT;
    bytes[at + 1] = length;
    at += 2;
  } else {
    writeLong(at, LONG_TEXT, length);
    at += 5;
  }
  bytes.set(body, at);
  at += length;
}

/** A head with a number of four bytes. */
function writeLong(place: number, head: number, value: number): void {
  bytes[place] = head;
  bytes[place + 1] = value >>> 24;
  bytes[place + 2] = value >>> 16;
  bytes[place + 3] = value >>> 8;
  bytes[place + 4] = value;
}

function reserve(more: number): void {
  if (at + more <= bytes.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, at + more));
  larger.set(bytes.subarray(0, at));
  bytes = larger;
}
