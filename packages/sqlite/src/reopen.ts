import type { Reopened } from "./affected.js";
import { uncountCapped } from "./caps.js";
import { followConsequences } from "./consequences.js";
import { edgesFrom, edgesTo, ON_FAILED, TURN } from "./edge-rows.js";
import { edgeOutcome, followEdge } from "./edges.js";
import { releaseGates } from "./final.js";
import { block } from "./line.js";
import type { Move } from "./move.js";
import { release } from "./readiness.js";
import { BLOCKED, CAPPED, GATED, isFinalState, JOIN, metaOf, UNIQUE, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";
import { spare } from "./spared.js";

/** Makes the jobs wait again, and returns the others to `blocked`, from where they go on as their edges say. */
export function mend(move: Move, { jobs, others, anew }: Reopened): void {
  const rows = [...jobs, ...others];
  for (const row of rows) blockAgain(move, row);
  for (const row of rows) leaveTrunk(move, row);
  for (const row of jobs) {
    row.due = anew ? move.now : Math.max(row.due, move.now);
    move.sql("UPDATE {jobs} SET due = ? WHERE key = ?").run(row.due, row.key);
    // A late repeat of the settlement that is undone must not be told that it stands; one of a run that was given back is.
    const settlement = anew
      ? "UPDATE {jobs} SET failures = 0, crashes = 0, settled = NULL, fence = -abs(fence) WHERE key = ?"
      : "UPDATE {jobs} SET settled = coalesce(settled, fence) WHERE key = ?";
    move.sql(settlement).run(row.key);
  }
  const touched = new Set<Key>(rows.map(({ key }) => key));
  for (const row of rows)
    for (const edge of edgesFrom(move.scope.connection, row.key)) touched.add(edge.target);
  for (const key of touched) recount(move, key);
  for (const row of rows) if (leadsElsewhere(move, row.key)) spare(move, row.key);
  // First what cannot run: those that it takes with it enter no line, and take no key.
  for (const key of touched) {
    reconsider(move, key, true);
    followConsequences(move);
  }
  for (const row of jobs) if (anew) releaseKey(move, row.key);
  for (const key of touched) {
    reconsider(move, key, false);
    followConsequences(move);
  }
}

function blockAgain(move: Move, row: Row): void {
  if (isFinalState(row.state)) {
    if ((row.flags & CAPPED) !== 0) uncountCapped(move, row);
    if ((row.flags & JOIN) === 0) move.count(row.state, -1);
    else forgetDoom(move, row);
  } else {
    if ((row.flags & GATED) !== 0) releaseGates(move, row);
    if ((row.flags & UNIQUE) !== 0) freeKey(move, row);
  }
  block(move, row);
  const gate = (row.flags & JOIN) === 0 ? "" : null;
  move.sql("UPDATE {jobs} SET gate = ?, result = NULL WHERE key = ?").run(gate, row.key);
}

/** What a run added to a group that had failed stood with it: from now on it is by itself, since nothing in the group waits for it. */
function leaveTrunk(move: Move, { key, trunk }: Row): void {
  if (trunk === null) return;
  const keys = new Set<Key>([key]);
  for (const one of keys) {
    if (one === trunk) return;
    for (const edge of edgesFrom(move.scope.connection, one)) keys.add(edge.target);
  }
  move.sql("UPDATE {jobs} SET trunk = NULL WHERE key = ?").run(key);
}

function forgetDoom(move: Move, row: Row): void {
  move.sql("DELETE FROM {doomed} WHERE key = ?").run(row.key);
  move.changeSeldom();
}

function freeKey(move: Move, row: Row): void {
  const key = metaOf(row).unique?.key;
  if (key === undefined) return;
  const { changes } = move
    .sql("DELETE FROM {uniques} WHERE queue = ? AND name = ? AND holder = ?")
    .run(move.queue.id, key, row.key);
  if (changes > 0) move.freed.add(key);
}

/** All edges of a blocked row are open again. */
function recount(move: Move, key: Key): void {
  const row = rowByKey(move.scope.connection, key);
  if (row === undefined || row.state !== BLOCKED) return;
  move.sql(`UPDATE {edges} SET met = 0 WHERE target = ? AND condition <> ${TURN}`).run(key);
  move
    .sql(
      `UPDATE {jobs} SET pending = (SELECT count(*) FROM {edges} WHERE target = ? AND condition <> ${TURN}) WHERE key = ?`,
    )
    .run(key, key);
}

/** Whether something outside of its join waits for a row: that may have been enqueued while the row was final. */
function leadsElsewhere(move: Move, key: Key): boolean {
  const { connection } = move.scope;
  const trunk = rowByKey(connection, key)?.trunk ?? null;
  if (trunk === null) return false;
  return edgesFrom(connection, key).some(({ target, condition }) => {
    if (condition === ON_FAILED || condition === TURN || target === trunk) return false;
    const other = rowByKey(connection, target);
    return other !== undefined && !isFinalState(other.state) && other.trunk !== trunk;
  });
}

function releaseKey(move: Move, key: Key): void {
  const row = rowByKey(move.scope.connection, key);
  if (row !== undefined && row.state === BLOCKED) release(move, row);
}

/** Goes on from where the sources stand, or only where one of them breaks an edge. */
function reconsider(move: Move, key: Key, ifBroken: boolean): void {
  const { connection } = move.scope;
  const row = rowByKey(connection, key);
  if (row === undefined || row.state !== BLOCKED) return;
  const edges = edgesTo(move, key).filter(({ condition }) => condition !== TURN);
  if (edges.length === 0 && !ifBroken) {
    release(move, row);
    return;
  }
  for (const edge of edges) {
    const source = rowByKey(connection, edge.source);
    if (source === undefined || !isFinalState(source.state)) continue;
    if (!ifBroken || edgeOutcome(source, edge, row) !== true) followEdge(move, source, edge);
  }
}
