import { edgesFrom, ON_FAILED, TURN, type EdgeRow } from "./edge-rows.js";
import type { Move } from "./move.js";
import { ACTIVE, isFinalState, TRUNKED, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/**
 * A row that leads to something else too does not count as skipped with its join, nor does what is before it. The
 * members of a join before it go on to count with that join.
 */
export function spare(move: Move, key: Key): void {
  const trunk = rowByKey(move.scope.connection, key)?.trunk ?? null;
  if (trunk !== null) spareFrom(move, key, trunk);
}

function spareFrom(move: Move, key: Key, trunk: Key): void {
  const row = rowByKey(move.scope.connection, key);
  if (row === undefined || row.trunk !== trunk || isFinalState(row.state)) return;
  move.sql("UPDATE {jobs} SET trunk = NULL WHERE key = ?").run(key);
  move.sql("INSERT OR IGNORE INTO {spared} (trunk, key) VALUES (?, ?)").run(trunk, key);
  const sources = move.raw("SELECT CAST(source AS TEXT) FROM {edges} WHERE target = ? AND condition <> 1");
  for (const [source] of sources.all(key) as [Key][]) spareFrom(move, source, trunk);
}

/** What leads to several joins, or to one and to something else, is spared by each of them. */
export function spareFor(move: Move, end: Key, trunks: ReadonlySet<Key | null>): void {
  const sources = move.raw("SELECT CAST(source AS TEXT) FROM {edges} WHERE target = ? AND condition <> 1");
  const keys = new Set<Key>([end]);
  for (const key of keys) {
    for (const trunk of trunks) {
      if (trunk === null) continue;
      move.sql("INSERT OR IGNORE INTO {spared} (trunk, key) VALUES (?, ?)").run(trunk, key);
      move.sql("UPDATE {jobs} SET flags = flags | ? WHERE key = ?").run(TRUNKED, key);
    }
    for (const [source] of sources.all(key) as [Key][]) keys.add(source);
  }
}

/** A join has failed: what was spared for something else that is no longer awaited leads to it alone again. */
export function unspare(move: Move, join: Key, doomed: ReadonlySet<Key>): void {
  const { connection } = move.scope;
  const keys = move.raw("SELECT CAST(key AS TEXT) FROM {spared} WHERE trunk = ?").all(join) as [Key][];
  if (keys.length === 0) return;
  const rows = new Map<Key, Row>();
  for (const [key] of keys) {
    const row = rowByKey(connection, key);
    // One that runs may be given back, and is not to run again then.
    if (row !== undefined && !isFinalState(row.state)) rows.set(key, row);
  }
  const leadsElsewhere = (edge: EdgeRow): boolean => {
    if (edge.condition === ON_FAILED || edge.condition === TURN || rows.has(edge.target)) return false;
    const target = doomed.has(edge.target) ? undefined : rowByKey(connection, edge.target);
    if (target === undefined || isFinalState(target.state)) return false;
    return target.trunk === null || !doomed.has(target.trunk) || target.state === ACTIVE;
  };
  for (let left = -1; left !== rows.size;) {
    left = rows.size;
    for (const key of rows.keys()) if (edgesFrom(connection, key).some(leadsElsewhere)) rows.delete(key);
  }
  for (const key of rows.keys()) {
    move.sql("UPDATE {jobs} SET trunk = ? WHERE key = ?").run(join, key);
    move.sql("DELETE FROM {spared} WHERE trunk = ? AND key = ?").run(join, key);
  }
}
