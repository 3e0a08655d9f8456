/**
 * Bodies of jobs that stand apart from their rows. SQLite writes all of a row anew with each change of it, and so each page
 * of its body: one of 360 KB took 2.5 ms longer to be claimed and settled.
 */
import type { Move } from "./move.js";
import { APART, type Key } from "./row.js";

/** Bytes above which a body stands apart: half a page. */
const INLINE = 2_048;

/** What the row of such a job holds in its place. */
const ELSEWHERE = new Uint8Array(0);

/** The body of a row of `{jobs}`, wherever it stands. */
export const BODY: string =
  `CASE WHEN flags & ${APART} = 0 THEN body ` +
  "ELSE coalesce((SELECT apart.body FROM {bodies} AS apart WHERE apart.key = {jobs}.key), body) END";

export function isApart(body: Uint8Array): boolean {
  return body.length > INLINE;
}

/** What a row holds of the body, and the flag that says so. */
export function inRow(body: Uint8Array): { readonly body: Uint8Array; readonly flag: number } {
  return isApart(body) ? { body: ELSEWHERE, flag: APART } : { body, flag: 0 };
}

/** Stores the body of a row, if it stands apart. */
export function putBody(move: Move, time: number, low: number, body: Uint8Array): void {
  if (!isApart(body)) return;
  move.sql("INSERT OR REPLACE INTO {bodies} (key, body) VALUES ((? << 21) | ?, ?)").run(time, low, body);
}

/** The body of a row that says that it stands apart; of one that somebody has taken away, what the row itself holds. */
export function bodyApart(
  move: Move,
  [time, low]: readonly [time: number, low: number, ...unknown[]],
  held: Uint8Array,
): Uint8Array {
  const row = move.raw("SELECT body FROM {bodies} WHERE key = (? << 21) | ?").get(time, low);
  return (row as [Uint8Array] | undefined)?.[0] ?? held;
}

/** The same in place of one that the row had before. */
export function replaceBody(move: Move, key: Key, body: Uint8Array): void {
  removeBody(move, key);
  if (isApart(body)) move.sql("INSERT INTO {bodies} (key, body) VALUES (?, ?)").run(key, body);
}

export function removeBody(move: Move, key: Key): void {
  move.sql("DELETE FROM {bodies} WHERE key = ?").run(key);
}
