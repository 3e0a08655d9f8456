import { randomInt } from "node:crypto";
import { splitId, TaskqError, type MovedJob, type MovedJoin, type NewJob } from "@taskq/core/storage";
import { inRow, replaceBody } from "./bodies.js";
import { countCapped } from "./caps.js";
import { flagsFor, metaFor, noteShortest, REMEMBERED } from "./insert-rows.js";
import type { Move } from "./move.js";
import { internOwner } from "./owners.js";
import {
  ALL_OUTCOMES,
  BLOCKED,
  CAPPED,
  isFinalState,
  JOIN,
  keyOf,
  NAMED,
  NEVER_AHEAD,
  SCHEDULED,
  STATES,
  type Key,
} from "./row.js";
import { nameRow } from "./rows.js";

const LOW = 2 ** 21;
/** Milliseconds that a key can tell. */
const TIMES = 2 ** 42;
const INSERT =
  "INSERT INTO {jobs} (key, queue, state, priority, due, task, random, flags, attempt, failures, crashes, fence, " +
  "settled, owner, enqueued, expires, started, ended, later, gate, pending, reason, cause, meta, pad, body, result) " +
  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)";

/** Stores a job or a join of another storage, unless it is there. What hangs on it comes later. */
export function insertMovedRow(move: Move, record: MovedJob | MovedJoin): void {
  const place = placeFor(move, record);
  if (place === undefined) return;
  const state = STATES.indexOf(record.state);
  const columns = record.kind === "job" ? jobColumns(move, record) : joinColumns(record);
  const { named } = place;
  const meta = named ? { ...columns.meta, name: record.id } : columns.meta;
  const { body, flag } = inRow(columns.body);
  move
    .sql(INSERT)
    .run(
      place.key,
      move.queue.id,
      state,
      columns.priority,
      columns.due,
      columns.task,
      place.random,
      columns.flags | flag | (named ? NAMED : 0),
      ...columns.counters,
      columns.owner,
      place.time === record.enqueuedAt ? null : record.enqueuedAt,
      columns.expires,
      columns.started,
      record.finishedAt ?? null,
      state === SCHEDULED ? columns.due : null,
      columns.gate,
      columns.pending,
      record.reason ?? null,
      record.cause ?? null,
      Object.keys(meta).length === 0 ? null : JSON.stringify(meta),
      body,
      columns.result,
    );
  if (flag !== 0) replaceBody(move, place.key, columns.body);
  if (named) {
    move
      .sql("INSERT OR REPLACE INTO {names} (queue, name, key, task, until) VALUES (?, ?, ?, ?, ?)")
      .run(move.queue.id, record.id, place.key, columns.task, record.enqueuedAt + REMEMBERED);
  }
  if (record.kind !== "job" || !isFinalState(state)) return;
  move.count(state);
  const { finishedAt, task } = record;
  const { key } = place;
  if ((columns.flags & CAPPED) !== 0) {
    countCapped(move, { key, task, state, ended: finishedAt ?? null, meta: JSON.stringify(meta) });
  }
}

interface Columns {
  readonly priority: number;
  readonly due: number;
  readonly task: string;
  readonly flags: number;
  readonly counters: readonly (number | null)[];
  readonly owner: number | null;
  readonly expires: number | null;
  readonly started: number | null;
  readonly gate: string | null;
  readonly pending: number | null;
  readonly meta: object;
  readonly body: Uint8Array;
  readonly result: Uint8Array | null;
}

function jobColumns(move: Move, record: MovedJob): Columns {
  const job: NewJob = {
    ...record,
    after: record.after?.map((source) => ({ source, on: "completed" })),
    unique: record.unique === undefined ? undefined : { ...record.unique, onConflict: "ignore" },
  };
  const meta = metaFor(job);
  if (meta.keep !== undefined) noteShortest(move, meta.keep);
  const blocked = record.state === "blocked";
  const follows = record.after !== undefined && record.after.length > 0;
  return {
    priority: record.priority,
    due: record.due,
    task: record.task,
    flags: flagsFor(job, meta, false) | (record.reaped ? NEVER_AHEAD : 0),
    counters: [record.attempt, record.failures, record.crashes, ...fencesOf(record)],
    owner: record.owner === undefined ? null : internOwner(move, record.owner),
    expires: record.expiresAt ?? null,
    started: record.startedAt ?? null,
    gate: blocked ? "" : (record.line?.gate ?? null),
    pending: record.line?.place ?? (blocked || follows ? 0 : null),
    meta,
    body: record.body,
    result: record.bytes ?? null,
  };
}

/** The last fence, and that of a settlement that gave the job back; see `settle`. */
function fencesOf({ state, fence, settled }: MovedJob): [fence: number, settled: number | null] {
  const other = settled === 0 || settled === fence ? null : settled;
  if (fence === 0 || settled !== fence) return [-fence, other];
  return isFinalState(STATES.indexOf(state)) ? [fence, null] : [fence, fence];
}

function joinColumns({ mode, state, enqueuedAt }: MovedJoin): Columns {
  return {
    priority: 0,
    due: enqueuedAt,
    task: "",
    flags: JOIN | (mode === "settled" ? ALL_OUTCOMES : 0),
    counters: [0, 0, 0, 0, null],
    owner: null,
    expires: null,
    started: null,
    gate: null,
    pending: STATES.indexOf(state) === BLOCKED ? 0 : null,
    meta: {},
    body: new Uint8Array(0),
    result: null,
  };
}

interface Place {
  readonly key: Key;
  readonly time: number;
  readonly random: number;
  readonly named: boolean;
}

/** `undefined`: it is there. */
function placeFor(move: Move, record: MovedJob | MovedJoin): Place | undefined {
  const parts = record.named === true ? undefined : splitId(record.id);
  if (parts === undefined) return placeOfName(move, record);
  const { time, low, random } = parts;
  const key = keyOf(time, low);
  const there = move.raw("SELECT queue, random, flags FROM {jobs} WHERE key = ?").get(key) as
    | [number, number, number]
    | undefined;
  if (there !== undefined) {
    const ours = there[0] === move.queue.id;
    if (ours && there[1] === random && (there[2] & NAMED) === 0) return undefined;
    if (!ours || (there[2] & NAMED) === 0) {
      throw new TaskqError("TASKQ_MOVE", `import: the id ${record.id} is taken by another job of the file`);
    }
    makeRoom(move, key, time);
  }
  return { key, time, random, named: false };
}

/** A name may stand anywhere in its millisecond, as nothing refers to its row yet. */
function makeRoom(move: Move, key: Key, time: number): void {
  const other = keyOf(time, freeLow(move, time, undefined));
  move.sql("UPDATE {jobs} SET key = ? WHERE key = ?").run(other, key);
  move.sql("UPDATE {bodies} SET key = ? WHERE key = ?").run(other, key);
  move.sql("UPDATE {names} SET key = ? WHERE queue = ? AND key = ?").run(other, move.queue.id, key);
}

function placeOfName(move: Move, record: MovedJob | MovedJoin): Place | undefined {
  const known = nameRow(move.scope.connection, move.queue, record.id);
  if (known !== undefined && known.key !== null) return undefined;
  const { enqueuedAt } = record;
  const place = Number.isSafeInteger(record.place) ? record.place : undefined;
  const time = timeInKey(enqueuedAt + Math.floor((place ?? 0) / LOW));
  const low = place === undefined ? undefined : place - Math.floor(place / LOW) * LOW;
  return {
    key: keyOf(time, freeLow(move, time, low)),
    time,
    random: randomInt(2 ** 40),
    named: true,
  };
}

/** Whole, and begun anew where it is out of bounds, as in generated ids: so is that of a clock that was set wrong. */
function timeInKey(time: number): number {
  const within = Math.floor(time) % TIMES;
  return within < 0 ? within + TIMES : within;
}

/** The one asked for, or the next behind the names that came before, or any that is free. */
function freeLow(move: Move, time: number, asked: number | undefined): number {
  const taken = move.raw("SELECT 1 FROM {jobs} WHERE key = (? << 21) | ?");
  const isFree = (low: number): boolean => low < LOW && taken.get(time, low) === undefined;
  if (asked !== undefined && isFree(asked)) return asked;
  const [last] = move
    .raw(
      "SELECT max(key & 2097151) FROM {jobs} WHERE key BETWEEN (? << 21) AND (? << 21) | 2097151 AND flags & 256 <> 0",
    )
    .get(time, time) as [number | null];
  let low = last === null ? randomInt(LOW / 2) : last + 1;
  while (!isFree(low)) low = randomInt(LOW);
  return low;
}
