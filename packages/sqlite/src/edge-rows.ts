import type { Connection } from "./connection.js";
import type { Move } from "./move.js";
import type { Key } from "./row.js";

/** Conditions as the rows have them. */
export const ON_COMPLETED = 0;
export const ON_FAILED = 1;
export const ON_SETTLED = 2;
/** From a member to its join. */
export const MEMBER = 3;
/** From what a member added to the member's join: it is waited for, but is no member. */
export const MEMBER_ADDED = 4;
/** From the flow that a schedule enqueued last to the one that waits behind it. */
export const TURN = 5;

export interface EdgeRow {
  readonly source: Key;
  readonly target: Key;
  readonly position: number;
  readonly condition: number;
  readonly met: number;
  /** The id of the target. */
  readonly follower: string;
}

/** The edges that start at a row. */
export function edgesFrom(connection: Connection, key: Key): EdgeRow[] {
  return connection
    .sql(
      "SELECT CAST(source AS TEXT) AS source, CAST(target AS TEXT) AS target, position, condition, met, follower " +
        "FROM {edges} WHERE source = ?",
    )
    .all(key) as EdgeRow[];
}

/** Those that lead to it, in the order given. */
export function edgesTo(move: Move, key: Key): EdgeRow[] {
  return move
    .sql(
      "SELECT CAST(source AS TEXT) AS source, CAST(target AS TEXT) AS target, position, condition, met, follower " +
        "FROM {edges} WHERE target = ? ORDER BY position",
    )
    .all(key) as EdgeRow[];
}
