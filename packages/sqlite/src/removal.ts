import { removeBody } from "./bodies.js";
import { uncountCapped } from "./caps.js";
import type { Move } from "./move.js";
import {
  APART,
  ATTEMPTED,
  CAPPED,
  FOLLOWED,
  idOf,
  isFinalState,
  JOIN,
  metaOf,
  NAMED,
  NOTED,
  TRUNKED,
  UNIQUE,
  type Row,
} from "./row.js";

/** Removes a row and all that belongs to it, and remembers its name if a caller gave it. */
export function removeRow(move: Move, row: Row): void {
  if ((row.flags & NAMED) !== 0) forgetName(move, row);
  if ((row.flags & UNIQUE) !== 0) keepKeyTaken(move, row);
  if ((row.flags & APART) !== 0) removeBody(move, row.key);
  if ((row.flags & ATTEMPTED) !== 0) move.sql("DELETE FROM {attempts} WHERE key = ?").run(row.key);
  if ((row.flags & NOTED) !== 0) move.sql("DELETE FROM {notes} WHERE key = ?").run(row.key);
  if ((row.flags & JOIN) !== 0) move.sql("DELETE FROM {doomed} WHERE key = ?").run(row.key);
  if ((row.flags & TRUNKED) !== 0) move.sql("DELETE FROM {spared} WHERE key = ?").run(row.key);
  if ((row.flags & JOIN) !== 0) move.sql("DELETE FROM {spared} WHERE trunk = ?").run(row.key);
  move.sql("DELETE FROM {jobs} WHERE key = ?").run(row.key);
  removeEdges(move, row);
  if ((row.flags & JOIN) === 0 && isFinalState(row.state)) move.count(row.state, -1);
  if ((row.flags & CAPPED) !== 0) uncountCapped(move, row);
}

/** An edge stays as long as one of its ends does, whose followers or members it names. */
function removeEdges(move: Move, row: Row): void {
  if ((row.flags & FOLLOWED) !== 0) {
    move
      .sql(
        "DELETE FROM {edges} WHERE source = ? AND NOT EXISTS (SELECT 1 FROM {jobs} WHERE key = {edges}.target)",
      )
      .run(row.key);
  }
  // A flow that waited for its turn has an edge without being a follower.
  move
    .sql(
      "DELETE FROM {edges} WHERE target = ? AND NOT EXISTS (SELECT 1 FROM {jobs} WHERE key = {edges}.source)",
    )
    .run(row.key);
}

/** A key until an instant stays taken until then. */
function keepKeyTaken(move: Move, row: Row): void {
  move
    .sql("UPDATE {uniques} SET id = ?, state = ? WHERE queue = ? AND name = ? AND holder = ?")
    .run(idOf(row), row.state, move.queue.id, metaOf(row).unique?.key ?? null, row.key);
}

function forgetName(move: Move, row: Row): void {
  const id = idOf(row);
  move
    .sql("UPDATE {names} SET key = NULL, state = ? WHERE queue = ? AND name = ? AND until > ?")
    .run(row.state, move.queue.id, id, move.now);
  move
    .sql("DELETE FROM {names} WHERE queue = ? AND name = ? AND until <= ?")
    .run(move.queue.id, id, move.now);
}
