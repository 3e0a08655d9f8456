/** What the records of a dump must look like, so that a foreign or damaged line is told before anything takes it in. */
import { STORED_STATES, type MovedRecord } from "@taskq/core/storage";

type Check = (value: unknown) => boolean;
type Kind = MovedRecord["kind"];
type Fields<K extends Kind> = Readonly<
  Record<Exclude<keyof Extract<MovedRecord, { kind: K }>, "kind">, Check>
>;
type Shapes = { readonly [K in Kind]: Fields<K> };

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => typeof value === "number";
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
  max: number,
  per: maybe(number),
  onBusy: oneOf("wait", "skip", "drop", "fail"),
});
const keep = object({
  completed: maybe(number),
  failed: maybe(number),
  completedMax: maybe(number),
  failedMax: maybe(number),
});
const histogram = object({ max: number, counts: listOf(number) });

const SHAPES: Shapes = {
  job: {
    id: text,
    named: flag,
    place: maybe(number),
    task: text,
    state: oneOf(...STORED_STATES.filter((name) => name !== "active")),
    body: bytes,
    priority: number,
    due: number,
    enqueuedAt: number,
    expiresAt: maybe(number),
    delivery: oneOf("at-least-once", "at-most-once"),
    after: maybe(listOf(text)),
    gates: maybe(listOf(gate)),
    unique: maybe(object({ key: text, until: either(number, oneOf("started", "final")) })),
    keep: maybe(keep),
    attempt: number,
    failures: number,
    crashes: number,
    fence: number,
    settled: number,
    reaped: flag,
    owner: maybe(text),
    startedAt: maybe(number),
    finishedAt: maybe(number),
    bytes: maybe(bytes),
    reason: maybe(text),
    cause: maybe(text),
    line: maybe(object({ gate: text, place: number })),
  },
  join: {
    id: text,
    named: maybe(flag),
    place: maybe(number),
    mode: oneOf("all", "settled"),
    state,
    enqueuedAt: number,
    finishedAt: maybe(number),
    reason: maybe(text),
    cause: maybe(text),
  },
  edge: {
    source: text,
    target: text,
    position: number,
    on: oneOf("completed", "failed", "settled", "member", "added", "turn"),
    member: maybe(text),
  },
  attempt: {
    id: text,
    attempt: number,
    fence: number,
    owner: text,
    startedAt: number,
    endedAt: maybe(number),
    error: maybe(bytes),
  },
  note: {
    id: text,
    position: number,
    note: object({ kind: oneOf("progress", "log"), time: number, attempt: number, fence: number, bytes }),
  },
  name: { id: text, task: text, state, until: number },
  unique: { key: text, holder: text, state: maybe(state), until: maybe(number), waiting: maybe(text) },
  hold: { gate: text, ticket: text, owner: text, fence: number, expiresAt: number },
  schedule: {
    name: text,
    origin: oneOf("task", "stored"),
    task: text,
    bytes,
    paused: flag,
    lastAt: number,
    lastId: maybe(text),
  },
  control: { task: maybe(text), paused: flag, revoked: flag, once: flag, until: maybe(number) },
  value: { key: text, value: either(bytes, number), expiresAt: maybe(number) },
  start: { key: text, time: number, holder: text, fence: number, until: number },
  stats: {
    task: text,
    minute: number,
    completed: number,
    failed: number,
    retried: number,
    wait: histogram,
    run: histogram,
  },
  feed: { tag: text, last: number, gone: number, until: number },
  event: {
    number,
    id: text,
    task: text,
    state,
    attempt: number,
    fence: number,
    time: number,
    startedAt: maybe(number),
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
