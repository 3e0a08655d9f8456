import type { MovedJob, MovedJoin, NewGate } from "@taskq/core/storage";
import { BODY } from "./bodies.js";
import { bytesIfAny } from "./bytes.js";
import type { Connection } from "./connection.js";
import { ownerName } from "./owners.js";
import {
  ACTIVE,
  ALL_OUTCOMES,
  AT_MOST_ONCE,
  enqueuedAt,
  idOf,
  isFinalState,
  JOIN,
  metaOf,
  NAMED,
  NEVER_AHEAD,
  PARKED,
  stateName,
  type Row,
} from "./row.js";

/** A row of a still queue as it goes to another storage. */
export function movedRow(connection: Connection, row: Row, now: number): MovedJob | MovedJoin {
  return (row.flags & JOIN) === 0 ? movedJob(connection, row, now) : movedJoin(row);
}

function movedJoin(row: Row): MovedJoin {
  return {
    kind: "join",
    id: idOf(row),
    named: (row.flags & NAMED) !== 0,
    place: placeOf(row),
    mode: (row.flags & ALL_OUTCOMES) === 0 ? "all" : "settled",
    state: stateName(row.state),
    enqueuedAt: enqueuedAt(row),
    finishedAt: row.ended ?? undefined,
    reason: row.reason ?? undefined,
    cause: row.cause ?? undefined,
  };
}

function movedJob(connection: Connection, row: Row, now: number): MovedJob {
  const { gates, unique, after, keep } = metaOf(row);
  const [body, result] = connection.raw(`SELECT ${BODY}, result FROM {jobs} WHERE key = ?`).get(row.key) as [
    Uint8Array,
    Uint8Array | null,
  ];
  return {
    kind: "job",
    id: idOf(row),
    named: (row.flags & NAMED) !== 0,
    place: placeOf(row),
    task: row.task,
    state: stateOf(row, now),
    body: bytesIfAny(body) ?? new Uint8Array(0),
    priority: row.priority,
    due: row.due,
    enqueuedAt: enqueuedAt(row),
    expiresAt: row.expires ?? undefined,
    delivery: (row.flags & AT_MOST_ONCE) === 0 ? "at-least-once" : "at-most-once",
    after,
    gates: gates?.map((gate): NewGate => ({ per: undefined, ...gate })),
    unique,
    keep: keep === undefined ? undefined : { completed: undefined, failed: undefined, ...keep },
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    fence: Math.abs(row.fence),
    settled: settledFence(row),
    reaped: (row.flags & NEVER_AHEAD) !== 0,
    owner: ownerName(connection, row.owner),
    startedAt: row.started ?? undefined,
    finishedAt: row.ended ?? undefined,
    bytes: isFinalState(row.state) ? bytesIfAny(result) : undefined,
    reason: row.reason ?? undefined,
    cause: row.cause ?? undefined,
    line: lineOf(row),
  };
}

/** A generated id says itself where it stands. */
function placeOf(row: Row): number | undefined {
  if ((row.flags & NAMED) === 0) return undefined;
  return (row.time - enqueuedAt(row)) * 2 ** 21 + row.low;
}

/** The line of a lock, a pause or an unknown task is found closed anew by whoever claims. */
function stateOf(row: Row, now: number): MovedJob["state"] {
  if (row.state === ACTIVE || (row.state === PARKED && lineOf(row) === undefined)) {
    return row.due > now ? "scheduled" : "ready";
  }
  return stateName(row.state) as MovedJob["state"];
}

function lineOf({ state, gate, pending }: Row): MovedJob["line"] {
  const kept = gate?.startsWith("unique:") === true || gate?.startsWith("schedule:") === true;
  return state === PARKED && gate !== null && kept ? { gate, place: pending ?? 0 } : undefined;
}

/** Of a run that ended the job, its fence itself; negative: it was taken away. */
function settledFence({ state, fence, settled }: Row): number {
  if (settled !== null) return settled;
  return isFinalState(state) && fence > 0 ? fence : 0;
}
