/** What the records of a dump must look like, so that a foreign or damaged line is told before anything takes it in. */
import { isPlaceInLine, STORED_STATES, type MovedRecord } from "@taskq/core/storage";

type Check = (value: unknown) => boolean;
type Kind = MovedRecord["kind"];
type Fields<K extends Kind> = Readonly<
  Record<Exclude<keyof Extract<MovedRecord, { kind: K }>, "kind">, Check>
>;
type Shapes = { readonly [K in Kind]: Fields<K> };

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number" && Number.isFinite(value);
/** Epoch milliseconds that a `Date` can tell. */
const instant: Check = (value) => number(value) && Math.abs(value as number) <= 8.64e15;
/** How often, how many, or which: a job that failed less than never would be tried again for ever. */
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** Rows are kept in their order by whole ones. */
const millisecond: Check = (value) => instant(value) && Number.isInteger(value);
/** Before others, it may be less than nothing. */
const place: Check = (value) => Number.isSafeInteger(value);
/** Of a run that waits for the one before of its schedule, one below the first. */
const position: Check = (value) => value === -1 || count(value);
const integer: Check = (value) => typeof value === "number" && value === (value | 0);
const flag: Check = (value) => typeof value === "boolean";
const bytes: Check = (value) => value instanceof Uint8Array;
const oneOf =
  (...choices: readonly unknown[]): Check =>
  (value) =>
    choices.includes(value);
const either =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === "object" && value !== null && wrongField(value, fields) === undefined;

const state = oneOf(...STORED_STATES);
const gate = object({
  kind: oneOf("lock", "concurrency", "limit"),
  key: text,
  max: count,
  per: maybe(number),
  onBusy: oneOf("wait", "skip", "drop", "fail"),
});
const keep = object({
  completed: maybe(number),
  failed: maybe(number),
  completedMax: maybe(count),
  failedMax: maybe(count),
});
const histogram = object({ max: number, counts: listOf(count) });

const SHAPES: Shapes = {
  job: {
    id: text,
    named: flag,
    place: maybe(place),
    task: text,
    state: oneOf(...STORED_STATES.filter((name) => name !== "active")),
    body: bytes,
    priority: integer,
    due: instant,
    enqueuedAt: millisecond,
    expiresAt: maybe(instant),
    delivery: oneOf("at-least-once", "at-most-once"),
    after: maybe(listOf(text)),
    gates: maybe(listOf(gate)),
    unique: maybe(object({ key: text, until: either(instant, oneOf("started", "final")) })),
    keep: maybe(keep),
    attempt: count,
    failures: count,
    crashes: count,
    fence: count,
    settled: count,
    reaped: flag,
    owner: maybe(text),
    startedAt: maybe(instant),
    finishedAt: maybe(instant),
    bytes: maybe(bytes),
    reason: maybe(text),
    cause: maybe(text),
    line: maybe(object({ gate: text, place: isPlaceInLine })),
  },
  join: {
    id: text,
    named: maybe(flag),
    place: maybe(place),
    mode: oneOf("all", "settled"),
    state,
    enqueuedAt: millisecond,
    finishedAt: maybe(instant),
    reason: maybe(text),
    cause: maybe(text),
  },
  edge: {
    source: text,
    target: text,
    position,
    on: oneOf("completed", "failed", "settled", "member", "added", "turn"),
    member: maybe(text),
  },
  attempt: {
    id: text,
    attempt: count,
    fence: count,
    owner: text,
    startedAt: instant,
    endedAt: maybe(instant),
    error: maybe(bytes),
  },
  note: {
    id: text,
    position: count,
    note: object({ kind: oneOf("progress", "log"), time: instant, attempt: count, fence: count, bytes }),
  },
  name: { id: text, task: text, state, until: instant },
  unique: { key: text, holder: text, state: maybe(state), until: maybe(instant), waiting: maybe(text) },
  hold: { gate: text, ticket: text, owner: text, fence: count, expiresAt: instant },
  schedule: {
    name: text,
    origin: oneOf("task", "stored"),
    task: text,
    bytes,
    paused: flag,
    lastAt: instant,
    lastId: maybe(text),
  },
  control: { task: maybe(text), paused: flag, revoked: flag, once: flag, until: maybe(instant) },
  value: { key: text, value: either(bytes, number), expiresAt: maybe(instant) },
  start: { key: text, time: instant, holder: text, fence: count, until: instant },
  stats: {
    task: text,
    minute: instant,
    completed: count,
    failed: count,
    retried: count,
    wait: histogram,
    run: histogram,
  },
  feed: { tag: text, last: count, gone: count, until: instant },
  event: {
    number: count,
    id: text,
    task: text,
    state,
    attempt: count,
    fence: count,
    time: instant,
    startedAt: maybe(instant),
    reason: maybe(text),
    error: maybe(bytes),
  },
};

/** Why a value is no record of a dump, as in "expected …"; `undefined`: it is one. */
export function wrongRecord(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value)) return "expected a record";
  const { kind, ...fields } = value;
  const shape = typeof kind === "string" && Object.hasOwn(SHAPES, kind) ? SHAPES[kind as Kind] : undefined;
  if (shape === undefined) return "expected a record of a known kind";
  const wrong = wrongField(fields, shape);
  return wrong === undefined
    ? undefined
    : `expected a record of kind '${String(kind)}', got one whose '${wrong}' is none`;
}

/** The first field that is missing, wrong, or not known. */
function wrongField(value: object, fields: Readonly<Record<string, Check>>): string | undefined {
  const all: Readonly<Record<string, unknown>> = { ...value };
  const wrong = Object.entries(fields).find(([name, check]) => !check(all[name]))?.[0];
  return wrong ?? Object.keys(all).find((name) => !Object.hasOwn(fields, name));
}
