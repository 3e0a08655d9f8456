/** The feed of a queue, as it goes to another storage and comes in there. */
import type { MovedEvent, MovedFeed } from "@taskq/core/storage";
import { followedFeed } from "./feed-reading.js";
import { entryKey, eventsAfter, type Entry } from "./feed-rows.js";
import type { Move } from "./move.js";
import type { After, Exporting, Placed } from "./moved-section.js";
import { STATES } from "./row.js";

export function feeds({ connection, queue }: Exporting, [sent]: After): readonly Placed[] {
  const feed = sent === 0 ? followedFeed(connection, queue) : undefined;
  return feed === undefined ? [] : [[{ kind: "feed", ...feed }, [1]]];
}

export function events({ connection, queue }: Exporting, [after]: After, limit: number): readonly Placed[] {
  const feed = followedFeed(connection, queue);
  if (feed === undefined) return [];
  const behind = Math.max(Number(after), feed.gone);
  const found = eventsAfter(connection, queue, feed, behind, limit) ?? [];
  return found.map(({ number, event }) => [{ kind: "event", number, ...event }, [number]]);
}

export function insertFeed(move: Move, { tag, last, gone, until }: MovedFeed): void {
  move
    .sql("INSERT OR REPLACE INTO {feeds} (queue, tag, last, gone, until) VALUES (?, ?, ?, ?, ?)")
    .run(move.queue.id, tag, last, gone, until);
  move.changeSeldom();
}

export function insertEvent(move: Move, event: MovedEvent): void {
  const { id, task, attempt, fence, startedAt, reason, error } = event;
  const state = STATES.indexOf(event.state);
  const entry: Entry = [id, task, state, attempt, fence, startedAt ?? null, reason ?? null];
  if (error !== undefined) entry.push(Buffer.from(error).toString("base64"));
  move
    .sql(`INSERT OR IGNORE INTO {events} (id, time, entries) VALUES (${entryKey("?", "?")}, ?, ?)`)
    .run(move.queue.id, event.number, event.time, JSON.stringify([entry]));
}
