import { setImmediate as nextTurn } from "node:timers/promises";
import type { Connection, Reader } from "./connection.js";
import { deadJoin } from "./dead.js";
import type { OpenQueue } from "./open-queue.js";
import { endOfPart, LAST_KEY } from "./part.js";
import { READY, type Key } from "./row.js";

/** Rows that are looked at in one go, so that no reader holds the log. */
const ROWS_AT_ONCE = 20_000;

/** When the job of each task became due that waits longest. No index holds the tasks: row by row, a part at a time. */
export async function oldestByTask(
  read: Reader,
  queue: OpenQueue,
  now: number,
): Promise<Readonly<Record<string, number>>> {
  const oldest = new Map<string, number>();
  for (let from: Key | undefined = "-1"; from !== undefined;) {
    const part: Key = from;
    from = await read((connection) => lookAt(connection, queue, { from: part, now, oldest }));
    if (from !== undefined) await nextTurn();
  }
  return Object.fromEntries(oldest);
}

interface Part {
  readonly from: Key;
  readonly now: number;
  readonly oldest: Map<string, number>;
}

/** Answers the key that ends the part; `undefined`: it was the last one. */
function lookAt(connection: Connection, queue: OpenQueue, { from, now, oldest }: Part): Key | undefined {
  const end = endOfPart(connection, from, ROWS_AT_ONCE);
  const found = connection
    .raw(
      "SELECT task, CAST(trunk AS TEXT), min(due) FROM {jobs} WHERE key > ? AND key <= ? AND queue = ? " +
        "AND state IN (0, 1, 3) AND due <= ? GROUP BY task, trunk",
    )
    .all(from, end ?? LAST_KEY, queue.id, now) as [string, Key | null, number][];
  for (const [task, trunk, due] of found) {
    // Members of failed joins count as skipped, written down or not.
    if (deadJoin(connection, { state: READY, trunk }) !== undefined) continue;
    oldest.set(task, Math.min(oldest.get(task) ?? Infinity, due));
  }
  return end;
}
