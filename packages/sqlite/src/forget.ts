/** What is remembered of what is gone, and what has a time of its own. */
import type { Connection } from "./connection.js";
import { forgetEvents, hasForgotten } from "./feed.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { forgetOwners } from "./owners.js";
import { forgetStarts, hasOldStarts } from "./starts.js";

/** How long the answer to an operation is remembered. */
const REMEMBERED = 600_000;
/** Rows of each kind that go at a time. */
const AT_ONCE = 500;

/** Rows whose time is over, by table. */
const OVER = {
  names: "key IS NULL AND until <= ?",
  values: "expires IS NOT NULL AND expires <= ?",
  operations: "time <= ?",
} as const;

const TABLES = Object.keys(OVER) as (keyof typeof OVER)[];

function overSince(table: keyof typeof OVER, now: number): number {
  return table === "operations" ? now - REMEMBERED : now;
}

/** Forgets names, answers, values, starts, events and owners whose time is over; a bounded number. Answers whether there may be more. */
export function forgetOld(move: Move): boolean {
  const { id } = move.queue;
  let isLeft = false;
  for (const table of TABLES) {
    const { changes } = move
      .sql(
        `DELETE FROM {${table}} WHERE queue = ? AND name IN ` +
          `(SELECT name FROM {${table}} WHERE queue = ? AND ${OVER[table]} LIMIT ${AT_ONCE})`,
      )
      .run(id, id, overSince(table, move.now));
    isLeft ||= changes === AT_ONCE;
  }
  isLeft = forgetStarts(move) || isLeft;
  isLeft = forgetEvents(move) || isLeft;
  forgetOwners(move);
  return isLeft;
}

/** Whether a step would forget some of it; it only reads. */
export function hasOld(connection: Connection, queue: OpenQueue, now: number): boolean {
  const isOver = (table: keyof typeof OVER): boolean =>
    connection
      .raw(`SELECT 1 FROM {${table}} WHERE queue = ? AND ${OVER[table]} LIMIT 1`)
      .get(queue.id, overSince(table, now)) !== undefined;
  return TABLES.some(isOver) || hasOldStarts(connection, queue, now) || hasForgotten(connection, queue);
}
