import type { Connection } from "./connection.js";
import { ACTIVE, COMPLETED, isFinalState, type Row } from "./row.js";
import { rowByKey } from "./rows.js";

/** The failed join, at any distance downstream, because of which a row that waits counts as skipped. */
export function deadJoin(connection: Connection, row: Pick<Row, "trunk" | "state">): Row | undefined {
  if (row.state >= ACTIVE) return undefined;
  let { trunk } = row;
  while (trunk !== null) {
    const join = rowByKey(connection, trunk);
    if (join === undefined) return undefined;
    if (isFinalState(join.state)) return join.state === COMPLETED ? undefined : join;
    trunk = join.trunk;
  }
  return undefined;
}
