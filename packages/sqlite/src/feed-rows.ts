/** The rows of the feed: up to some hundred events each, under the number of their last one. */
import type { FeedBounds, FinalEvent, FinalState } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import type { OpenQueue } from "./open-queue.js";
import { stateName } from "./row.js";

/** Rows that are read at a time. */
const ROWS_AT_ONCE = 32;

/** The key of a row: its queue, and the number of its last event. */
export function entryKey(queue: string, number: string): string {
  return `(${queue} << 40) + ${number}`;
}

/** Rows behind one number up to another: `queue, number, queue, number`. */
export const AFTER: string = `id > ${entryKey("?", "?")} AND id <= ${entryKey("?", "?")}`;
/** The number of a row. */
export const NUMBER: string = "id & 1099511627775";

/** An event without what its row says of all of them: the error in Base64. */
export type Entry = [
  id: string,
  task: string,
  state: number,
  attempt: number,
  fence: number,
  started: number | null,
  reason: string | null,
  error?: string,
];

export interface Numbered {
  readonly number: number;
  readonly event: FinalEvent;
}

/**
 * Events behind a number, in order; `undefined` when some of them have been let go meanwhile. A read is several
 * statements, between which others may write.
 */
export function eventsAfter(
  connection: Connection,
  queue: OpenQueue,
  { last }: Pick<FeedBounds, "last">,
  position: number,
  limit: number,
): readonly Numbered[] | undefined {
  const events: Numbered[] = [];
  const statement = connection.raw(
    `SELECT ${NUMBER}, time, entries FROM {events} WHERE ${AFTER} ORDER BY id LIMIT ? + 0`,
  );
  for (let behind = position; behind < last && events.length < limit;) {
    const rows = statement.all(queue.id, behind, queue.id, last, ROWS_AT_ONCE) as [number, number, string][];
    if (rows.length === 0) return undefined;
    for (const [number, time, text] of rows) {
      const entries = JSON.parse(text) as Entry[];
      const before = number - entries.length;
      if (before > behind) return undefined;
      for (let index = behind - before; index < entries.length; index += 1) {
        events.push({ number: before + index + 1, event: eventOf(entries[index] as Entry, time) });
      }
      behind = number;
    }
  }
  if (events.length > limit) events.length = limit;
  return events;
}

function eventOf(entry: Entry, time: number): FinalEvent {
  const [id, task, state, attempt, fence, started, reason, error] = entry;
  return {
    id,
    task,
    state: stateName(state) as FinalState,
    attempt,
    fence,
    time,
    startedAt: started ?? undefined,
    reason: reason ?? undefined,
    error: error === undefined ? undefined : new Uint8Array(Buffer.from(error, "base64")),
  };
}
