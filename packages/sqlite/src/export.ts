import type { ExportAnswer, ExportRequest } from "@taskq/core/storage";
import { complete } from "./consequences.js";
import type { Connection } from "./connection.js";
import { writeConsequences } from "./joins.js";
import { unpackKeys } from "./lease.js";
import type { Move } from "./move.js";
import { moveCounts } from "./move-counts.js";
import { movedPage } from "./moved-page.js";
import {
  ARRIVING,
  LEAVING,
  LEFT,
  movedError,
  movingRow,
  newName,
  OPEN,
  phaseName,
  STILL,
  writeMoving,
  writePhase,
  type MovingRow,
} from "./moving.js";
import type { OpenQueue } from "./open-queue.js";
import { flushStats } from "./stats.js";

type Reading = Extract<ExportRequest, { readonly kind: "page" | "count" }>;
type Writing = Exclude<ExportRequest, Reading>;

export function isReading(request: ExportRequest): request is Reading {
  return request.kind === "page" || request.kind === "count";
}

/** Reads a still queue. */
export function readExport(
  connection: Connection,
  queue: OpenQueue,
  request: Reading,
  now: number,
): ExportAnswer {
  const row = movingRow(connection, queue);
  checkDeparture(queue, row, request.departure);
  const answer = answerOf(row, 0);
  if (request.kind === "count") return { ...answer, counts: moveCounts(connection, queue) };
  return { ...answer, ...movedPage({ connection, queue, now }, request.cursor, request.limit) };
}

/** The queue leaves for another storage, or is taken back. */
export function exportQueue(move: Move, request: Writing): ExportAnswer {
  const { connection } = move.scope;
  const row = movingRow(connection, move.queue);
  let active = 0;
  if (request.kind === "begin") active = begin(move, row);
  else if (request.kind === "finish") finish(move, row, request.departure, request.destination);
  else cancel(move, row, request.destination);
  return answerOf(movingRow(connection, move.queue), active);
}

function answerOf(row: MovingRow, active: number): ExportAnswer {
  return {
    phase: phaseName(row.phase),
    epoch: row.epoch,
    departure: row.departure ?? undefined,
    destination: row.destination ?? undefined,
    active,
    still: row.phase === STILL || row.phase === LEFT,
    records: [],
    cursor: undefined,
    counts: undefined,
  };
}

/** Answers how many runs have not ended. */
function begin(move: Move, { phase }: MovingRow): number {
  if (phase === ARRIVING) throw movedError(move.queue.name, phase);
  if (phase === LEFT || phase === STILL) return 0;
  if (phase === OPEN) {
    writeMoving(move, { departure: newName(), destination: null });
    writePhase(move, LEAVING);
  }
  // What counts as skipped already is written down before it is read by others.
  writeConsequences(move);
  complete(move);
  const active = activeRuns(move);
  if (!isWritten(move)) return active;
  if (active === 0 && move.seldom().doomed.length === 0) writePhase(move, STILL);
  return active;
}

/** Writes the statistics of this process, which go along; `false`: once this transaction is over, there are more. */
function isWritten(move: Move): boolean {
  const { stats } = move.queue;
  if (!stats.gathered.isEmpty && stats.mayFlush(move.now, true)) flushStats(move);
  return !move.scope.isGathered;
}

function activeRuns(move: Move): number {
  const { id } = move.queue;
  const isActive = move.raw("SELECT 1 FROM {jobs} WHERE key = ? AND state = 4 AND fence = ?");
  const leases = move.sql("SELECT fence, jobs FROM {leases} WHERE queue = ?").all(id) as {
    fence: number;
    jobs: Buffer;
  }[];
  let active = 0;
  for (const { fence, jobs } of leases) {
    for (const key of unpackKeys(jobs)) if (isActive.get(key, fence) !== undefined) active += 1;
  }
  if (active > 0) return active;
  // All rows are looked at once before the queue is taken to be still.
  const left = move.raw("SELECT 1 FROM {jobs} WHERE queue = ? AND state = 4 LIMIT 1").get(id);
  return left === undefined ? 0 : 1;
}

/** @throws `TASKQ_MOVED` */
function checkDeparture(queue: OpenQueue, { phase, departure }: MovingRow, asked: string): void {
  if ((phase === STILL || phase === LEFT) && departure === asked) return;
  throw movedError(queue.name, phase, ", and is not still for this departure");
}

function finish(move: Move, row: MovingRow, departure: string, destination: string): void {
  checkDeparture(move.queue, row, departure);
  if (row.phase === LEFT) checkDestination(move, row, destination);
  else {
    writeMoving(move, { destination });
    writePhase(move, LEFT);
  }
}

function checkDestination(move: Move, row: MovingRow, destination: string | undefined): void {
  if (row.destination !== (destination ?? null)) {
    throw movedError(move.queue.name, row.phase, ", to another destination");
  }
}

function cancel(move: Move, row: MovingRow, destination: string | undefined): void {
  if (row.phase === OPEN) return;
  if (row.phase === ARRIVING) throw movedError(move.queue.name, row.phase);
  if (row.phase === LEFT) checkDestination(move, row, destination);
  writeMoving(move, { departure: null, destination: null });
  writePhase(move, OPEN);
}
