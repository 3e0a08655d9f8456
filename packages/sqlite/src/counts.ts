import type { StoredCounts, StoredState } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { deadJoin } from "./dead.js";
import type { OpenQueue } from "./open-queue.js";
import { JOIN, SKIPPED, stateName, STATES } from "./row.js";

type MutableCounts = Record<StoredState, number>;

/** Jobs by state, and by task if asked for: counted row by row, a part at a time, so that no reader holds the log. */
const ROWS_AT_ONCE = 20_000;

export async function countJobs(
  connection: Connection,
  queue: OpenQueue,
  by: "task" | undefined,
): Promise<Readonly<Record<string, StoredCounts>>> {
  const counts: Record<string, MutableCounts> = {};
  if (by === undefined) counts["*"] = noCounts();
  let cursor: string | undefined = "-1";
  while (cursor !== undefined) {
    const last = lastOfPart(connection, cursor);
    for (const [task, state, count] of countPart(connection, queue, cursor, last)) {
      add(counts, by === undefined ? "*" : task, stateName(state), count);
    }
    for (const [task, state, , count] of unwritten(connection, queue, cursor, last)) {
      const name = by === undefined ? "*" : task;
      add(counts, name, stateName(state), -count);
      add(counts, name, stateName(SKIPPED), count);
    }
    cursor = last;
    if (cursor !== undefined) await new Promise(setImmediate);
  }
  return counts;
}

/** The key that ends a part, or `undefined` when it is the last one. */
function lastOfPart(connection: Connection, cursor: string): string | undefined {
  const row = connection
    .raw("SELECT CAST(key AS TEXT) FROM {jobs} WHERE key > ? ORDER BY {jobs}.key LIMIT 1 OFFSET ?")
    .get(cursor, ROWS_AT_ONCE - 1) as [string] | undefined;
  return row?.[0];
}

const LAST_KEY = "9223372036854775807";

function countPart(
  connection: Connection,
  queue: OpenQueue,
  cursor: string,
  last: string | undefined,
): [string, number, number][] {
  return connection
    .raw(
      "SELECT task, state, count(*) FROM {jobs} WHERE key > ? AND key <= ? AND queue = ? " +
        `AND flags & ${JOIN} = 0 GROUP BY task, state`,
    )
    .all(cursor, last ?? LAST_KEY, queue.id) as [string, number, number][];
}

/** Jobs that count as skipped because their group failed, and are not written down yet: by task, state and join. */
type Unwritten = [task: string, state: number, trunk: string, count: number];

function unwritten(
  connection: Connection,
  queue: OpenQueue,
  cursor: string,
  last: string | undefined,
): Unwritten[] {
  if (connection.raw("SELECT 1 FROM {doomed} WHERE queue = ? LIMIT 1").get(queue.id) === undefined) return [];
  const rows = connection
    .raw(
      "SELECT task, state, CAST(trunk AS TEXT), count(*) FROM {jobs} WHERE key > ? AND key <= ? AND queue = ? " +
        `AND trunk IS NOT NULL AND state < 4 AND flags & ${JOIN} = 0 GROUP BY task, state, trunk`,
    )
    .all(cursor, last ?? LAST_KEY, queue.id) as Unwritten[];
  return rows.filter(([, state, trunk]) => deadJoin(connection, { state, trunk }) !== undefined);
}

function add(counts: Record<string, MutableCounts>, name: string, state: StoredState, by: number): void {
  const of = (counts[name] ??= noCounts());
  of[state] += by;
}

function noCounts(): MutableCounts {
  return Object.fromEntries(STATES.map((state) => [state, 0])) as MutableCounts;
}
