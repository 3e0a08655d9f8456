import type { NewFlow, ScheduleRecord, StoredFlow, TickAnswer, TickRequest } from "@taskq/core/storage";
import { complete } from "./consequences.js";
import { TURN } from "./edge-rows.js";
import { admit, enqueueWhole } from "./enqueue.js";
import { dropRevocation } from "./turn-away.js";
import type { Move } from "./move.js";
import { ACTIVE, isFinalState, type Key } from "./row.js";
import { rowById, rowByKey } from "./rows.js";
import { schedule } from "./schedules.js";
import { isRevoked } from "./seldom.js";

/** Records an instant and enqueues what belongs to it. */
export function tick(move: Move, request: TickRequest): TickAnswer {
  admit(move.scope, move.queue);
  const known = schedule(move, request.name);
  if (known === undefined) return { status: "removed", lastAt: undefined, flows: [], effects: [] };
  const { lastAt } = known;
  if (lastAt !== request.previous || request.at <= lastAt || request.at > move.now) {
    return { status: "stale", lastAt, flows: [], effects: [] };
  }
  move
    .sql("UPDATE {schedules} SET last_at = ? WHERE queue = ? AND name = ?")
    .run(request.at, move.queue.id, request.name);
  const fired = fire(move, known, request);
  complete(move);
  return { ...fired, lastAt: request.at, effects: move.effects };
}

interface Fired {
  readonly status: TickAnswer["status"];
  readonly flows: readonly StoredFlow[];
  readonly skipped: number;
}

function fire(move: Move, known: ScheduleRecord, { flows, overlap }: TickRequest): Fired {
  const skipped = known.paused ? 0 : skip(move, known, flows.length);
  if (known.paused) return { status: "paused", flows: [], skipped };
  if (skipped > 0 && skipped === flows.length) return { status: "revoked", flows: [], skipped };
  const stored: StoredFlow[] = [];
  const asked = flows.slice(skipped);
  let lastId = known.lastId;
  for (const flow of asked.slice(0, allowed(move, known, overlap))) {
    const result = store(move, known.name, flow, overlap === "allow" ? undefined : lastId);
    if (result.status === "stored") lastId = flow.end;
    stored.push(result);
  }
  if (lastId !== known.lastId) {
    move
      .sql("UPDATE {schedules} SET last_id = ? WHERE queue = ? AND name = ?")
      .run(lastId, move.queue.id, known.name);
  }
  return {
    status: asked.length > 0 && stored.length === 0 ? "overlapped" : "applied",
    flows: stored,
    skipped,
  };
}

/** How many of the first flows are skipped, since their task is revoked: all, or one that uses it up. */
function skip(move: Move, { task }: ScheduleRecord, flows: number): number {
  const control = move.seldom().controls.get(task);
  if (flows === 0 || !isRevoked(control, move.now)) return 0;
  if (control?.once !== true) return flows;
  dropRevocation(move, task);
  return 1;
}

/** How many flows may be enqueued: all, or one to wait for a run that has begun. */
function allowed(move: Move, known: ScheduleRecord, overlap: TickRequest["overlap"]): number {
  if (overlap === "allow") return Infinity;
  const last = unfinishedEnd(move, known.lastId);
  if (last === undefined) return Infinity;
  return overlap === "queue" && hasBegun(move, last) ? 1 : 0;
}

/** The key of a flow's end, while that is not final. */
function unfinishedEnd(move: Move, id: string | undefined): Key | undefined {
  const row = id === undefined ? undefined : rowById(move.scope.connection, move.queue, id);
  return row === undefined || isFinalState(row.state) ? undefined : row.key;
}

/** Whether some job that leads to the end has run, or is running. */
function hasBegun(move: Move, end: Key): boolean {
  const keys = new Set<Key>([end]);
  for (const key of keys) {
    const row = rowByKey(move.scope.connection, key);
    if (row !== undefined && (row.state === ACTIVE || row.attempt > 0)) return true;
    const sources = move
      .raw(`SELECT CAST(source AS TEXT) FROM {edges} WHERE target = ? AND condition <> ${TURN}`)
      .all(key) as [Key][];
    for (const [source] of sources) keys.add(source);
  }
  return false;
}

/** @param behind End of the flow that it waits for. */
function store(move: Move, name: string, flow: NewFlow, behind: string | undefined): StoredFlow {
  const before = unfinishedEnd(move, behind);
  const gate = before === undefined ? undefined : `schedule:${name}`;
  const { stored, roots } = enqueueWhole(move, flow, { gate, elsewhere: true });
  if (before === undefined || roots === undefined) return stored;
  move.sql("UPDATE {jobs} SET flags = flags | 1 WHERE key = ?").run(before);
  for (const root of roots) {
    move
      .sql(
        "INSERT OR IGNORE INTO {edges} (source, target, position, condition, id, follower) VALUES (?, ?, -1, ?, ?, '')",
      )
      .run(before, root, TURN, behind);
  }
  return stored;
}
