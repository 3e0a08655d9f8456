import { edgesFrom, ON_FAILED, TURN } from "./edge-rows.js";
import type { Move } from "./move.js";
import { BLOCKED, isFinalState, JOIN, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** All jobs of a flow, from any of its rows; but no error handler that has become ready, and nothing beyond it. */
export function flowOf(move: Move, start: Row): readonly Row[] {
  const rows = new Map<Key, Row>([[start.key, start]]);
  for (const row of rows.values()) {
    for (const key of neighbours(move, row)) {
      if (rows.has(key)) continue;
      const next = rowByKey(move.scope.connection, key);
      if (next !== undefined && !isRunningHandler(move, next)) rows.set(key, next);
    }
  }
  return [...rows.values()].filter((row) => (row.flags & JOIN) === 0);
}

function neighbours(move: Move, row: Row): readonly Key[] {
  const sources = move
    .raw(
      `SELECT CAST(source AS TEXT) FROM {edges} WHERE target = ? AND condition <> ${TURN} ORDER BY position`,
    )
    .all(row.key) as [Key][];
  const targets = edgesFrom(move.scope.connection, row.key).filter(({ condition }) => condition !== TURN);
  return [...sources.map(([key]) => key), ...targets.map(({ target }) => target)];
}

function isRunningHandler(move: Move, row: Row): boolean {
  if (row.state === BLOCKED || isFinalState(row.state)) return false;
  return (
    move.raw("SELECT 1 FROM {edges} WHERE target = ? AND condition = ? LIMIT 1").get(row.key, ON_FAILED) !==
    undefined
  );
}
