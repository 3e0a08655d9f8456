import { followEdges } from "./edges.js";
import { writeFeed } from "./feed.js";
import { openGate } from "./gates.js";
import { writeConsequences } from "./joins.js";
import { openLimit } from "./limits.js";
import type { Move } from "./move.js";
import { COMPLETED } from "./row.js";
import { LIMIT } from "./starts.js";
import { letUniqueGo } from "./unique.js";

/** Does all that follows from what a call has done so far: gates, keys, edges, until nothing is left. */
export function followConsequences(move: Move): void {
  for (;;) {
    const [gate] = move.opened;
    if (gate !== undefined) {
      move.opened.delete(gate);
      if (gate.startsWith(LIMIT)) openLimit(move, gate);
      else openGate(move, gate);
      continue;
    }
    // A key goes to none of those that end together with its holder: what has not completed takes others along.
    const takesAlong = move.finished[0] !== undefined && move.finished[0].state !== COMPLETED;
    const [key] = takesAlong ? [] : move.freed;
    if (key !== undefined) {
      move.freed.delete(key);
      letUniqueGo(move, key);
      continue;
    }
    const row = move.finished.shift();
    if (row === undefined) return;
    followEdges(move, row);
  }
}

/** The same, and writes the counters: the end of a call. */
export function complete(move: Move): void {
  followConsequences(move);
  while (move.hasDoomed && move.consequencesLeft > 0) {
    move.hasDoomed = false;
    writeConsequences(move);
    followConsequences(move);
  }
  writeFeed(move);
  move.flushCounters();
}
