import { CONSEQUENCES_PER_STEP, LET_GO_BY_LIMIT } from "@taskq/core/storage";
import type { Connection } from "./connection.js";
import { firstParked, letStrangerGo, letThrough, ownGate, placesTaken } from "./gates.js";
import type { Move } from "./move.js";
import type { OpenQueue } from "./open-queue.js";
import { metaOf, type MetaGate, type Row } from "./row.js";
import { addStart, countStarts, limitOf, removeStart, roomAt, type Limit } from "./starts.js";

/** Writes the start of a run down, in place of the place that was kept for it. */
export function takeStart(move: Move, row: Row, gate: MetaGate, fence: number): void {
  const limit = limitOf(gate);
  addStart(move, limit, { holder: row.key, fence });
  move
    .sql("DELETE FROM {holders} WHERE queue = ? AND gate = ? AND holder = ?")
    .run(move.queue.id, limit.gate, row.key);
  // Whoever is in the line has to be told anew when it opens.
  move.opened.add(limit.gate);
}

/** Gives back the starts that an unbegun run has used up. */
export function giveStartsBack(move: Move, row: Row): void {
  for (const gate of metaOf(row).gates ?? []) {
    if (gate.kind !== "limit") continue;
    const { gate: name } = limitOf(gate);
    if (removeStart(move, name, { holder: row.key, fence: row.fence })) move.opened.add(name);
  }
}

/**
 * Lets the first in the line go for whom the window has room, and notes when it has more. Answers how many went; when
 * there are more than it may let go, the next step goes on.
 */
export function openLimit(move: Move, gate: string, limit: number = CONSEQUENCES_PER_STEP): number {
  for (let gone = 0; ; gone += 1) {
    const row = firstParked(move, gate);
    if (row === undefined) {
      planOpening(move, gate, undefined);
      return gone;
    }
    const said = ownGate(row, gate);
    if (said === undefined) {
      letStrangerGo(move, gate, row);
      continue;
    }
    const own = limitOf(said);
    const kept = placesTaken(move, gate);
    const isFull = kept >= LET_GO_BY_LIMIT || countStarts(move, own) + kept >= own.max;
    if (isFull || gone >= limit) {
      planOpening(move, gate, isFull ? roomFor(move, own, kept) : move.now);
      return gone;
    }
    letThrough(move, gate, row);
  }
}

/** Those that were let go tell, one after the other, while they are as many as may be. */
function roomFor(move: Move, own: Limit, kept: number): number | undefined {
  return kept >= LET_GO_BY_LIMIT ? undefined : roomAt(move, own, kept);
}

/** Notes when a limit with a line opens by itself; `undefined`: nobody waits, or somebody who goes will tell. */
function planOpening(move: Move, gate: string, opens: number | undefined): void {
  const { id } = move.queue;
  if (opens === undefined) {
    move.sql("DELETE FROM {openings} WHERE queue = ? AND gate = ?").run(id, gate);
    return;
  }
  move.sql("INSERT OR REPLACE INTO {openings} (queue, gate, opens) VALUES (?, ?, ?)").run(id, gate, opens);
  move.wakeAt(opens);
}

/** Opens the limits whose instant has come; a bounded number of jobs, the rest with the next step. */
export function openDueLimits(move: Move): void {
  let left = CONSEQUENCES_PER_STEP;
  const gates = move
    .raw("SELECT gate FROM {openings} WHERE queue = ? AND opens <= ? ORDER BY opens LIMIT ? + 0")
    .all(move.queue.id, move.now, left) as [string][];
  for (const [gate] of gates) {
    left -= openLimit(move, gate, left);
    if (left <= 0) return;
  }
}

/** Whether a limit opens at a later instant. */
export function hasOpenings(connection: Connection, queue: OpenQueue, now: number): boolean {
  const later = connection.raw("SELECT 1 FROM {openings} WHERE queue = ? AND opens > ? LIMIT 1");
  return later.get(queue.id, now) !== undefined;
}

/** Has the next steps look at all limits with a line: a clock that was set back has left their instants too far ahead. */
export function openAnew(move: Move): void {
  const { changes } = move
    .sql("UPDATE {openings} SET opens = ? WHERE queue = ? AND opens > ?")
    .run(move.now, move.queue.id, move.now);
  if (changes === 0) return;
  move.wakeAt(move.now);
  move.becameReady();
}
