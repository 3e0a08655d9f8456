import {
  checkArriving,
  TaskqError,
  type ImportAnswer,
  type ImportRequest,
  type MoveCounts,
} from "@taskq/core/storage";
import { complete } from "./consequences.js";
import type { Move } from "./move.js";
import { moveCounts } from "./move-counts.js";
import {
  ARRIVING,
  LEFT,
  movedError,
  movingRow,
  newName,
  OPEN,
  phaseName,
  writeMoving,
  writePhase,
  type MovingRow,
} from "./moving.js";
import { arrivedId, forgetHistory, mergeHistory } from "./moved-history.js";
import { flush } from "./flush.js";
import { insertMoved } from "./insert-moved.js";
import { sealRows } from "./seal.js";
import { forgetCompleted } from "./turn.js";

/** Rows that one call removes of what came before. */
const REMOVED_AT_ONCE = 5000;
const DONE = "done";

type Begin = Extract<ImportRequest, { readonly kind: "begin" }>;

/** A queue is filled from another storage. */
export function importQueue(move: Move, request: ImportRequest): ImportAnswer {
  const row = movingRow(move.scope.connection, move.queue);
  switch (request.kind) {
    case "begin":
      return answer(move, begin(move, row, request));
    case "page":
      checkDeparture(move, row, request.departure);
      if (!follows(row, request)) return answer(move, false);
      checkArriving(request.records);
      for (const record of request.records) insertMoved(move, record);
      complete(move);
      writeMoving(move, { cursor: request.cursor ?? null });
      return answer(move, false);
    case "seal": {
      checkDeparture(move, row, request.departure);
      if (!follows(row, request)) return answer(move, false);
      const more = seal(move, row);
      const counts = more ? undefined : sealedCounts(move);
      return { ...answer(move, more), counts };
    }
    case "open":
      open(move, row, request.departure, request.arrival);
      return answer(move, false);
    case "cancel":
      return answer(move, cancel(move, row, request.departure));
  }
}

/** Nothing that came before it is missing. */
function follows(
  { cursor, sealed }: MovingRow,
  { behind }: { readonly behind?: string | undefined },
): boolean {
  return behind === undefined || sealed !== null || cursor === behind;
}

function sealedCounts({ queue, scope }: Move): MoveCounts {
  return moveCounts(scope.connection, queue, arrivedId(queue));
}

function answer(move: Move, more: boolean): ImportAnswer {
  const row = movingRow(move.scope.connection, move.queue);
  return {
    phase: phaseName(row.phase),
    epoch: row.epoch,
    departure: row.origin ?? undefined,
    arrival: row.arrival ?? undefined,
    cursor: row.cursor ?? undefined,
    complete: row.phase !== ARRIVING || row.sealed === DONE,
    more,
    counts: undefined,
  };
}

/** Answers whether there is more to remove before. */
function begin(move: Move, row: MovingRow, { departure, epoch, arrival }: Begin): boolean {
  const { phase, origin } = row;
  if (arrival !== undefined && (arrival !== row.arrival || origin !== departure)) {
    throw movedError(move.queue.name, phase, ", and is not where the source has left for");
  }
  if (origin === departure && (phase === OPEN || phase === ARRIVING)) return false;
  if (phase !== OPEN && phaseName(phase) === "leaving") throw movedError(move.queue.name, phase);
  if (phase === OPEN && !isEmpty(move)) {
    throw new TaskqError(
      "TASKQ_MOVE",
      `import: expected the queue "${move.queue.name}" to be empty, got one that keeps something`,
    );
  }
  // Nobody else comes in meanwhile, nor goes on with what is being removed.
  if (phase !== ARRIVING) writePhase(move, ARRIVING);
  // What it did before it left has gone to where it lived since.
  if (phase === LEFT) forgetHistory(move, move.queue.id);
  if (origin !== null) writeMoving(move, { origin: null });
  if (empty(move)) return true;
  move.sql("UPDATE {queues} SET epoch = max(epoch, ?) + 1 WHERE id = ?").run(epoch, move.queue.id);
  writeMoving(move, { origin: departure, arrival: newName(), cursor: null, sealed: null });
  return false;
}

/** Schedules and pauses are no jobs: those that move take their place. */
function isEmpty(move: Move): boolean {
  return ["jobs", "values", "names"].every(
    (table) => move.raw(`SELECT 1 FROM {${table}} WHERE queue = ? LIMIT 1`).get(move.queue.id) === undefined,
  );
}

/** Removes a bounded number of what the queue keeps; answers whether there is more. */
function empty(move: Move): boolean {
  if (flush(move, REMOVED_AT_ONCE).more) return true;
  const { id } = move.queue;
  for (const table of [
    "controls",
    "schedules",
    "holders",
    "tickets",
    "leases",
    "revoked",
    "doomed",
    "openings",
    "feeds",
  ]) {
    move.sql(`DELETE FROM {${table}} WHERE queue = ?`).run(id);
  }
  forgetHistory(move, arrivedId(move.queue));
  // `shortest` stays: processes that have noted it do not do so again.
  move
    .sql(
      "UPDATE {queues} SET failed = 0, cancelled = 0, expired = 0, skipped = 0, quarantined = 0, " +
        "wake = NULL WHERE id = ?",
    )
    .run(id);
  forgetCompleted(move.scope.connection, move.queue);
  move.changeSeldom();
  return false;
}

/** @throws `TASKQ_MOVED` */
function checkDeparture(move: Move, { phase, origin }: MovingRow, departure: string): void {
  if (phase === ARRIVING && origin === departure) return;
  throw movedError(move.queue.name, phase, ", and not from this departure");
}

function seal(move: Move, { sealed }: MovingRow): boolean {
  if (sealed === DONE) return false;
  const last = sealRows(move, sealed ?? undefined);
  writeMoving(move, { sealed: last ?? DONE });
  return last !== undefined;
}

function open(move: Move, row: MovingRow, departure: string, arrival: string): void {
  if (row.phase === OPEN && row.origin === departure && row.arrival === arrival) return;
  checkDeparture(move, row, departure);
  if (row.sealed !== DONE || row.arrival !== arrival) {
    throw movedError(move.queue.name, row.phase, ", and has not arrived whole");
  }
  mergeHistory(move);
  writeMoving(move, { cursor: null, sealed: null });
  writePhase(move, OPEN);
}

/** Answers whether there is more to remove. */
function cancel(move: Move, { phase, origin }: MovingRow, departure: string | undefined): boolean {
  if (phase !== ARRIVING && origin !== null && (departure ?? origin) === origin) {
    throw movedError(move.queue.name, phase, ", since it has opened here");
  }
  if (phase !== ARRIVING || (departure !== undefined && origin !== null && origin !== departure))
    return false;
  if (origin !== null) writeMoving(move, { origin: null });
  if (empty(move)) return true;
  // Its arrival is still known, so that the source can be opened again.
  writeMoving(move, { cursor: null, sealed: null });
  writePhase(move, OPEN);
  return false;
}
