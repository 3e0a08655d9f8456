import type { Connection } from "./connection.js";
import { ACTIVE, COMPLETED, isFinalState, SKIPPED, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** Why members of a failed join do not run. */
export const GROUP_FAILED = "group failed";

/** The failed join, at any distance downstream, because of which a row that waits counts as skipped. */
export function deadJoin(connection: Connection, row: Pick<Row, "trunk" | "state">): Row | undefined {
  if (row.state >= ACTIVE) return undefined;
  // Of rows that somebody has written into, a join may lead to itself.
  const passed = new Set<Key>();
  for (let { trunk } = row; trunk !== null && !passed.has(trunk);) {
    const join = rowByKey(connection, trunk);
    if (join === undefined) return undefined;
    if (isFinalState(join.state)) return join.state === COMPLETED ? undefined : join;
    passed.add(trunk);
    ({ trunk } = join);
  }
  return undefined;
}

/** A row as it counts: what leads to a failed join and has not started is skipped, written down or not. */
export function asSkipped(connection: Connection, row: Row): Row {
  const join = deadJoin(connection, row);
  if (join === undefined) return row;
  const skipped = { state: SKIPPED, reason: GROUP_FAILED, cause: join.cause, ended: join.ended };
  return { ...row, ...skipped, gate: null };
}
