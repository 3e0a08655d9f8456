import { edgesFrom, MEMBER, MEMBER_ADDED, ON_FAILED, ON_SETTLED, TURN, type EdgeRow } from "./edge-rows.js";
import { finish, type Why } from "./final.js";
import type { Move } from "./move.js";
import { release } from "./readiness.js";
import {
  ALL_OUTCOMES,
  BLOCKED,
  COMPLETED,
  FAILED,
  idOf,
  isFinalState,
  PARKED,
  SKIPPED,
  stateName,
  type Key,
  type Row,
} from "./row.js";
import { rowByKey } from "./rows.js";
import { skipIfDead } from "./skip-dead.js";
import { unspare } from "./spared.js";

/** Why what follows a final row that did not complete is skipped: because of it, or of what it was skipped for. */
function whyOf(row: Row): Why {
  if (row.cause !== null) return { reason: row.reason, cause: row.cause };
  return { reason: stateName(row.state), cause: idOf(row) };
}

function isFailure({ reason }: Why): boolean {
  return reason === "failed" || reason === "quarantined";
}

function isMembership({ condition }: EdgeRow): boolean {
  return condition === MEMBER || condition === MEMBER_ADDED;
}

/** Whether a final source satisfies an edge; if not, why the target is skipped, or fails as a join. */
export function edgeOutcome(source: Row, edge: EdgeRow, target: Row): true | Why {
  const { condition } = edge;
  if (condition === ON_SETTLED || condition === TURN) return true;
  if (isMembership(edge) && (target.flags & ALL_OUTCOMES) !== 0) return true;
  if (source.state === COMPLETED) {
    return condition !== ON_FAILED ? true : { reason: "completed", cause: idOf(source) };
  }
  const why = whyOf(source);
  return condition === ON_FAILED && isFailure(why) ? true : why;
}

/** Satisfies or breaks the edges of a row that has become final. */
export function followEdges(move: Move, source: Row): void {
  const edges = edgesFrom(move.scope.connection, source.key);
  const open = edges.filter(({ condition, met }) => condition !== TURN && met === 0);
  // Groups first, as in every storage: so the same one of two that follow gets a unique key.
  for (const edge of open) if (isMembership(edge)) followEdge(move, source, edge);
  for (const edge of open) if (!isMembership(edge)) followEdge(move, source, edge);
  // What follows comes before what waits for its turn.
  for (const edge of edges) if (edge.condition === TURN) followEdge(move, source, edge);
}

export function followEdge(move: Move, source: Row, edge: EdgeRow): void {
  const target = rowByKey(move.scope.connection, edge.target);
  if (target === undefined || isFinalState(target.state)) return;
  if (edge.condition === TURN) {
    if (target.state === PARKED && target.gate?.startsWith("schedule:") === true) release(move, target);
    return;
  }
  if (skipIfDead(move, target)) return;
  const outcome = edgeOutcome(source, edge, target);
  if (outcome === true) {
    if (meet(move, edge, target) > 0) return;
    if (isMembership(edge)) finish(move, target, COMPLETED, { reason: null, cause: null });
    else if (target.state === BLOCKED) release(move, target);
    return;
  }
  if (isMembership(edge)) {
    failJoin(move, target, outcome);
    return;
  }
  if (target.state !== BLOCKED) return;
  finish(move, target, SKIPPED, outcome);
  move.effect(target, "skipped", outcome);
}

/** Records an edge as satisfied, once; answers how many are still open. */
function meet(move: Move, edge: EdgeRow, target: Row): number {
  const { changes } = move
    .sql("UPDATE {edges} SET met = 1 WHERE source = ? AND target = ? AND position = ? AND met = 0")
    .run(edge.source, edge.target, edge.position);
  // It was recorded by what followed from the edge before.
  if (changes === 0) return target.pending ?? 1;
  const row = move
    .raw("UPDATE {jobs} SET pending = pending - 1 WHERE key = ? RETURNING pending")
    .get(target.key) as [number];
  target.pending = row[0];
  return row[0];
}

/** A join of mode `all` ends with its first member that does not complete; its other members are written down bit by bit. */
function failJoin(move: Move, join: Row, why: Why): void {
  const state = isFailure(why) ? FAILED : SKIPPED;
  finish(move, join, state, why);
  doom(move, join);
}

/** Remembers that what leads to a join, or to a join before it, is still to be written down as skipped. */
export function doom(move: Move, join: Row): void {
  const keys = new Set<Key>([join.key]);
  for (let size = 0; size !== keys.size;) {
    addJoinsBefore(move, keys);
    size = keys.size;
    for (const key of keys) unspare(move, key, keys);
    addJoinsBefore(move, keys);
  }
  for (const key of keys) {
    move.sql("INSERT OR IGNORE INTO {doomed} (key, queue, cursor) VALUES (?, ?, -1)").run(key, move.queue.id);
  }
  move.hasDoomed = true;
  move.changeSeldom();
}

function addJoinsBefore(move: Move, keys: Set<Key>): void {
  const before = move.raw(
    "SELECT CAST(key AS TEXT) FROM {jobs} WHERE trunk = ? AND task = '' AND trunk IS NOT NULL AND state = 2",
  );
  for (const key of keys) for (const [inner] of before.all(key) as [Key][]) keys.add(inner);
}
