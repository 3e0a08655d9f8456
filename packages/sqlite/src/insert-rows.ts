import type { NewGate, NewJob, NewJoin } from "@taskq/core/storage";
import { MEMBER, ON_COMPLETED, ON_FAILED, ON_SETTLED } from "./edge-rows.js";
import { inRow, putBody } from "./bodies.js";
import { isCapped } from "./caps.js";
import type { Move } from "./move.js";
import { rowByKey } from "./rows.js";
import { skipIfDead } from "./skip-dead.js";
import { spare } from "./spared.js";
import { isNamed, keyText, sparedBy, trunkOf, type Place, type Placing } from "./place.js";
import {
  ALL_OUTCOMES,
  AT_MOST_ONCE,
  BLOCKED,
  CAPPED,
  FOLLOWED,
  FOLLOWER,
  GATED,
  JOIN,
  KEPT,
  NAMED,
  READY,
  SCHEDULED,
  TRUNKED,
  UNIQUE,
  type Meta,
  type MetaGate,
} from "./row.js";

/** Ids that the caller gave are remembered for a day. */
export const REMEMBERED = 86_400_000;

/** Stores a join with its members' edges. */
export function insertJoin(placing: Placing, join: NewJoin): void {
  const { move } = placing;
  let flags = JOIN | (join.mode === "settled" ? ALL_OUTCOMES : 0);
  const meta: { name?: string } = {};
  if (isNamed(placing.rows.get(join.id) as Place, join.id)) {
    flags |= NAMED;
    meta.name = join.id;
  }
  insertRow(placing, {
    id: join.id,
    flags,
    priority: 0,
    due: move.now,
    task: "",
    expires: null,
    pending: join.members.length,
    state: BLOCKED,
    later: null,
    gate: null,
    meta,
    body: EMPTY,
  });
  if ((flags & NAMED) !== 0) insertName(placing, join.id, "");
  for (const [position, member] of join.members.entries()) {
    insertEdge(placing, { source: member, target: join.id, position, condition: MEMBER });
  }
}

const EMPTY = new Uint8Array(0);

/** Stores a job with its edges; answers its state. A root that is `direct` takes its place in line at once. */
export function insertJob(placing: Placing, job: NewJob, direct: boolean): number {
  const { move } = placing;
  const after = job.after ?? [];
  const meta = metaFor(job);
  const named = job.named || isNamed(placing.rows.get(job.id) as Place, job.id);
  const later = direct && job.due > move.now;
  const state = direct ? (later ? SCHEDULED : READY) : BLOCKED;
  insertRow(placing, {
    id: job.id,
    flags: flagsFor(job, meta, named),
    priority: job.priority,
    due: job.due,
    task: job.task,
    expires: job.expiresAt ?? null,
    pending: after.length === 0 ? null : after.length,
    state,
    later: later ? job.due : null,
    gate: direct ? null : "",
    meta: named ? { ...meta, name: job.id } : meta,
    body: job.body,
  });
  if (named) insertName(placing, job.id, job.task);
  if (meta.keep !== undefined) noteShortest(move, meta.keep);
  for (const [position, edge] of after.entries()) {
    insertEdge(placing, { source: edge.source, target: job.id, position, condition: CONDITIONS[edge.on] });
  }
  if (direct) move.becameReady();
  return state;
}

/** Purging looks no further than the shortest time for which anything is kept. */
export function noteShortest(
  move: Move,
  { completed = Infinity, failed = Infinity }: NonNullable<Meta["keep"]>,
): void {
  const shortest = Math.min(completed, failed);
  if (shortest >= move.queue.shortest) return;
  move
    .sql("UPDATE {queues} SET shortest = ? WHERE id = ? AND (shortest IS NULL OR shortest > ?)")
    .run(shortest, move.queue.id, shortest);
  move.scope.onCommit(() => {
    move.queue.shortest = Math.min(move.queue.shortest, shortest);
  });
}

export function flagsFor(job: NewJob, meta: Meta, named: boolean): number {
  return (
    (named ? NAMED : 0) |
    (job.delivery === "at-most-once" ? AT_MOST_ONCE : 0) |
    (meta.gates === undefined ? 0 : GATED) |
    (meta.unique === undefined ? 0 : UNIQUE) |
    (meta.keep === undefined ? 0 : KEPT) |
    (isCapped(meta.keep) ? CAPPED : 0) |
    (meta.after === undefined ? 0 : FOLLOWER)
  );
}

const CONDITIONS = { completed: ON_COMPLETED, failed: ON_FAILED, settled: ON_SETTLED } as const;

export function metaFor(job: Pick<NewJob, "gates" | "unique" | "after" | "keep">): Meta {
  const { gates, unique, keep, after } = job;
  return {
    ...(gates === undefined || gates.length === 0 ? {} : { gates: gates.map(metaGate) }),
    ...(unique === undefined ? {} : { unique: { key: unique.key, until: unique.until } }),
    ...(after === undefined || after.length === 0 ? {} : { after: after.map(({ source }) => source) }),
    ...(keep === undefined ? {} : { keep: keepFor(keep) }),
  };
}

function metaGate({ kind, key, max, per, onBusy }: NewGate): MetaGate {
  return per === undefined ? { kind, key, max, onBusy } : { kind, key, max, per, onBusy };
}

function keepFor(keep: NonNullable<NewJob["keep"]>): NonNullable<Meta["keep"]> {
  return {
    ...(keep.completed === undefined ? {} : { completed: keep.completed }),
    ...(keep.failed === undefined ? {} : { failed: keep.failed }),
    ...(keep.completedMax === undefined ? {} : { completedMax: keep.completedMax }),
    ...(keep.failedMax === undefined ? {} : { failedMax: keep.failedMax }),
  };
}

interface Inserted {
  readonly id: string;
  readonly flags: number;
  readonly priority: number;
  readonly due: number;
  readonly task: string;
  readonly expires: number | null;
  readonly pending: number | null;
  readonly state: number;
  readonly later: number | null;
  readonly gate: string | null;
  readonly meta: Meta;
  readonly body: Uint8Array;
}

function insertRow(placing: Placing, row: Inserted): void {
  const { move, rows, shape } = placing;
  const parts = rows.get(row.id) as Place;
  const trunk = trunkOf(placing, row.id);
  const spared = trunk === null ? sparedBy(placing, row.id) : [];
  const leads = trunk !== null || spared.length > 0;
  const { body, flag } = inRow(row.body);
  const flags = row.flags | flag | (shape.followed.has(row.id) ? FOLLOWED : 0) | (leads ? TRUNKED : 0);
  move
    .sql(
      "INSERT INTO {jobs} (key, queue, state, priority, due, task, random, flags, enqueued, expires, later, gate, " +
        "pending, trunk, meta, body) VALUES ((? << 21) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      parts.time,
      parts.low,
      move.queue.id,
      row.state,
      row.priority,
      row.due,
      row.task,
      parts.random,
      flags,
      parts.time === move.now ? null : move.now,
      row.expires,
      row.later,
      row.gate,
      row.pending,
      trunk,
      Object.keys(row.meta).length === 0 ? null : JSON.stringify(row.meta),
      body,
    );
  for (const join of spared) {
    move.sql("INSERT OR IGNORE INTO {spared} (trunk, key) VALUES (?, ?)").run(join, parts.key);
  }
  putBody(move, parts.time, parts.low, row.body);
}

function insertName(placing: Placing, name: string, task: string): void {
  const { move } = placing;
  move
    .sql("INSERT OR REPLACE INTO {names} (queue, name, key, task, until) VALUES (?, ?, ?, ?, ?)")
    .run(move.queue.id, name, keyText(placing, name), task, move.now + REMEMBERED);
}

interface InsertedEdge {
  readonly source: string;
  readonly target: string;
  readonly position: number;
  readonly condition: number;
}

function insertEdge(placing: Placing, edge: InsertedEdge): void {
  const { move, rows } = placing;
  const source = keyText(placing, edge.source);
  move
    .sql("INSERT INTO {edges} (source, target, position, condition, id, follower) VALUES (?, ?, ?, ?, ?, ?)")
    .run(source, keyText(placing, edge.target), edge.position, edge.condition, edge.source, edge.target);
  if (rows.has(edge.source) || placing.outside.has(source)) return;
  placing.outside.add(source);
  move.sql("UPDATE {jobs} SET flags = flags | 1 WHERE key = ?").run(source);
  // One that counts as skipped is so for whatever comes after it: nobody waits for it any more.
  const row = rowByKey(move.scope.connection, source);
  if (row !== undefined && skipIfDead(move, row)) return;
  if (edge.condition !== ON_FAILED) spare(move, source);
}
