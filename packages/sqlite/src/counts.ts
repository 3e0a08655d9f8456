import { setImmediate as nextTurn } from "node:timers/promises";
import { STORED_STATES, type StoredCounts, type StoredState } from "@taskq/core/storage";
import type { Connection, Reader } from "./connection.js";
import { deadJoin } from "./dead.js";
import { unpackKeys } from "./lease.js";
import type { OpenQueue } from "./open-queue.js";
import { endOfPart, LAST_KEY } from "./part.js";
import { COMPLETED, JOIN, SKIPPED, stateName, type Key } from "./row.js";
import { completedOf } from "./turn.js";

type MutableCounts = Record<StoredState, number>;

/** Jobs by state, and by task if asked for. */
export async function countJobs(
  read: Reader,
  queue: OpenQueue,
  by: "task" | undefined,
): Promise<Readonly<Record<string, StoredCounts>>> {
  if (by === "task") return countByTask(read, queue);
  return { "*": await read((connection) => connection.snapshot(() => countAll(connection, queue))) };
}

/** Final jobs by the counters of the queue; the others by the indexes that hold them alone. */
function countAll(connection: Connection, queue: OpenQueue): StoredCounts {
  const counts = connection.sql(COUNT_ALL).get(queue.id) as MutableCounts;
  counts.active = countActive(connection, queue);
  counts.completed = completedOf(connection, queue);
  for (const [state, count] of unwritten(connection, queue)) {
    counts[stateName(state)] -= count;
    counts.skipped += count;
  }
  return counts;
}

/** Jobs that are blocked have the empty gate, joins none; whoever is scheduled is so until `later`. */
const COUNT_ALL =
  "SELECT " +
  "(SELECT count(*) FROM {jobs} WHERE queue = {queues}.id AND gate = '') AS blocked, " +
  "(SELECT count(*) FROM {jobs} WHERE queue = {queues}.id AND later IS NOT NULL) AS scheduled, " +
  "(SELECT count(*) FROM {jobs} WHERE queue = {queues}.id AND state = 0) AS ready, " +
  "(SELECT count(*) FROM {jobs} WHERE queue = {queues}.id AND gate > '') AS parked, " +
  "0 AS active, 0 AS completed, failed, cancelled, expired, skipped, quarantined FROM {queues} WHERE id = ?";

/** Each active job stands in the lease under which it was claimed. */
function countActive(connection: Connection, queue: OpenQueue): number {
  const leases = connection.raw("SELECT fence, jobs FROM {leases} WHERE queue = ?").all(queue.id);
  const count = connection.raw(
    "SELECT count(*) FROM {jobs} WHERE key IN (SELECT value FROM json_each(?)) AND state = 4 AND fence = ?",
  );
  let active = 0;
  for (const [fence, jobs] of leases as [number, Buffer][]) {
    active += (count.get(`[${unpackKeys(jobs).join(",")}]`, fence) as [number])[0];
  }
  return active;
}

/**
 * Jobs that count as skipped because their group failed, and are not written down yet, by state: found from the failed
 * joins on, down to the members of their members.
 */
function unwritten(connection: Connection, queue: OpenQueue): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  const doomed = connection.raw("SELECT CAST(key AS TEXT) FROM {doomed} WHERE queue = ?").all(queue.id);
  const joins = new Set<Key>((doomed as [Key][]).map(([key]) => key));
  for (const join of joins) {
    const members = connection
      .raw(
        `SELECT state, count(*) FROM {jobs} WHERE trunk = ? AND state < 4 AND flags & ${JOIN} = 0 GROUP BY state`,
      )
      .all(join) as [number, number][];
    for (const [state, count] of members) counts.set(state, (counts.get(state) ?? 0) + count);
    const below = connection
      .raw("SELECT CAST(key AS TEXT), state FROM {jobs} WHERE task = '' AND trunk = ?")
      .all(join) as [Key, number][];
    for (const [key, state] of below) if (state !== COMPLETED) joins.add(key);
  }
  return counts;
}

/** Rows that are counted in one go, so that no reader holds the log. */
const ROWS_AT_ONCE = 20_000;

/** Row by row, a part at a time: no index holds the tasks of final jobs. */
async function countByTask(read: Reader, queue: OpenQueue): Promise<Record<string, StoredCounts>> {
  // A map: a task may be called `constructor`.
  const counts = new Map<string, MutableCounts>();
  let cursor: Key | undefined = "-1";
  while (cursor !== undefined) {
    const from: Key = cursor;
    cursor = await read((connection) => countPart(connection, queue, from, counts));
    if (cursor !== undefined) await nextTurn();
  }
  return Object.fromEntries(counts);
}

/** Counts one part, and answers the key that ends it; `undefined` when it is the last one. */
function countPart(
  connection: Connection,
  queue: OpenQueue,
  cursor: Key,
  counts: Map<string, MutableCounts>,
): Key | undefined {
  const last = endOfPart(connection, cursor, ROWS_AT_ONCE);
  const part: Part = { connection, queue, cursor, last: last ?? LAST_KEY };
  const add = (task: string, state: number, by: number): void => {
    const of = counts.get(task) ?? noCounts();
    counts.set(task, of);
    of[stateName(state)] += by;
  };
  for (const [task, state, count] of statesOf(part)) add(task, state, count);
  for (const [task, state, , count] of unwrittenOf(part)) {
    add(task, state, -count);
    add(task, SKIPPED, count);
  }
  return last;
}

interface Part {
  readonly connection: Connection;
  readonly queue: OpenQueue;
  readonly cursor: Key;
  readonly last: Key;
}

function statesOf({ connection, queue, cursor, last }: Part): [string, number, number][] {
  return connection
    .raw(
      "SELECT task, state, count(*) FROM {jobs} WHERE key > ? AND key <= ? AND queue = ? " +
        `AND flags & ${JOIN} = 0 GROUP BY task, state`,
    )
    .all(cursor, last, queue.id) as [string, number, number][];
}

/** By task, state and join. */
type Unwritten = [task: string, state: number, trunk: Key, count: number];

function unwrittenOf({ connection, queue, cursor, last }: Part): Unwritten[] {
  if (connection.raw("SELECT 1 FROM {doomed} WHERE queue = ? LIMIT 1").get(queue.id) === undefined) return [];
  const rows = connection
    .raw(
      "SELECT task, state, CAST(trunk AS TEXT), count(*) FROM {jobs} WHERE key > ? AND key <= ? AND queue = ? " +
        `AND trunk IS NOT NULL AND state < 4 AND flags & ${JOIN} = 0 GROUP BY task, state, trunk`,
    )
    .all(cursor, last, queue.id) as Unwritten[];
  return rows.filter(([, state, trunk]) => deadJoin(connection, { state, trunk }) !== undefined);
}

function noCounts(): MutableCounts {
  return Object.fromEntries(STORED_STATES.map((state) => [state, 0])) as MutableCounts;
}
