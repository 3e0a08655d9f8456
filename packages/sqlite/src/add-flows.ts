import type { NewFlow } from "@taskq/core/storage";
import { edgesFrom, MEMBER, MEMBER_ADDED, ON_COMPLETED, ON_SETTLED, type EdgeRow } from "./edge-rows.js";
import { enqueueWhole } from "./enqueue.js";
import type { Move } from "./move.js";
import { JOIN, isFinalState, type Key, type Row } from "./row.js";
import { keyById, rowByKey } from "./rows.js";
import { spareFor } from "./spared.js";

/** Stores flows that a completed run adds, and makes what follows the run wait for them too. */
export function addFlows(move: Move, row: Row, flows: readonly NewFlow[]): void {
  const edges = edgesFrom(move.scope.connection, row.key).filter((edge) => isExtended(move, edge));
  const trunks = trunksOf(move, edges);
  const [first] = trunks;
  const trunk = trunks.size === 1 ? (first ?? undefined) : undefined;
  for (const flow of flows) {
    const { endKey } = enqueueWhole(move, flow, { trunk });
    if (endKey !== undefined && trunks.size > 1) spareFor(move, endKey, trunks);
    const end = endKey ?? keyById(move.scope.connection, move.queue, flow.end);
    if (end !== undefined) for (const edge of edges) extend(move, edge, end, flow.end);
  }
}

function isExtended(move: Move, edge: EdgeRow): boolean {
  if (edge.condition !== ON_COMPLETED && edge.condition !== ON_SETTLED && edge.condition !== MEMBER)
    return false;
  const target = rowByKey(move.scope.connection, edge.target);
  return target !== undefined && !isFinalState(target.state);
}

/** The joins to which all that follows leads; `null` among them: some of it leads to none. */
function trunksOf(move: Move, edges: readonly EdgeRow[]): ReadonlySet<Key | null> {
  const trunks = new Set<Key | null>();
  const spared = move.raw("SELECT CAST(trunk AS TEXT) FROM {spared} WHERE key = ?");
  for (const { target } of edges) {
    const row = rowByKey(move.scope.connection, target);
    const trunk = row === undefined || (row.flags & JOIN) === 0 ? (row?.trunk ?? null) : row.key;
    trunks.add(trunk);
    if (trunk === null) for (const [join] of spared.all(target) as [Key][]) trunks.add(join);
  }
  return trunks;
}

function extend(move: Move, edge: EdgeRow, end: Key, id: string): void {
  const last = move.raw("SELECT max(position) FROM {edges} WHERE target = ?").get(edge.target) as [number];
  move
    .sql("INSERT INTO {edges} (source, target, position, condition, id, follower) VALUES (?, ?, ?, ?, ?, ?)")
    .run(
      end,
      edge.target,
      last[0] + 1,
      edge.condition === MEMBER ? MEMBER_ADDED : edge.condition,
      id,
      edge.follower,
    );
  move.sql("UPDATE {jobs} SET pending = pending + 1 WHERE key = ?").run(edge.target);
  move.sql("UPDATE {jobs} SET flags = flags | 1 WHERE key = ?").run(end);
  const row = rowByKey(move.scope.connection, end);
  if (row !== undefined && isFinalState(row.state)) move.finished.push(row);
}
