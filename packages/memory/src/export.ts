/** The queue leaves for another storage. */
import {
  movedError,
  countedAs,
  pageLength,
  TaskqError,
  type ExportAnswer,
  type ExportRequest,
  type MoveCounts,
  type MovedRecord,
} from "@taskq/core/storage";
import { isStill } from "./phase.js";
import type { Move, QueueState } from "./queue-state.js";
import { recordsOf } from "./records.js";

export function exportQueue(move: Move, request: ExportRequest): ExportAnswer {
  const { queue } = move;
  switch (request.kind) {
    case "begin":
      begin(queue);
      return answer(queue);
    case "page":
      checkDeparture(queue, request.departure);
      return { ...answer(queue), ...page(move, request.cursor, request.limit) };
    case "count":
      checkDeparture(queue, request.departure);
      return { ...answer(queue), counts: countsOf(recordsIn(move)) };
    case "finish":
      finish(queue, request.departure, request.destination);
      return answer(queue);
    case "cancel":
      cancel(queue, request.destination);
      return answer(queue);
  }
}

function answer({ phase, epoch, moving, active }: QueueState): ExportAnswer {
  return {
    phase,
    epoch,
    departure: moving.departure,
    destination: moving.destination,
    active: active.size,
    still: phase === "left" || moving.still,
    records: [],
    cursor: undefined,
    counts: undefined,
  };
}

function begin(queue: QueueState): void {
  if (queue.phase === "arriving") throw movedError(queue.name, "arriving");
  if (queue.phase === "left") return;
  if (queue.phase === "open") {
    queue.phase = "leaving";
    queue.moving.departure = crypto.randomUUID();
    queue.moving.destination = undefined;
    queue.hints.control();
  }
  queue.moving.still = queue.active.size === 0;
}

/** @throws `TASKQ_MOVED` */
function checkDeparture(queue: QueueState, departure: string): void {
  const leaves = queue.phase === "leaving" || queue.phase === "left";
  if (leaves && isStill(queue) && queue.moving.departure === departure) return;
  throw movedError(queue.name, queue.phase, ", and is not still for this departure");
}

const outgoing = new WeakMap<QueueState, { readonly departure: string; readonly records: MovedRecord[] }>();

/** A still queue does not change: its records are made once. */
function recordsIn(move: Move): readonly MovedRecord[] {
  const departure = move.queue.moving.departure ?? "";
  const known = outgoing.get(move.queue);
  if (known?.departure === departure) return known.records;
  const records = [...recordsOf(move)];
  outgoing.set(move.queue, { departure, records });
  return records;
}

function page(
  move: Move,
  cursor: string | undefined,
  limit: number,
): Pick<ExportAnswer, "records" | "cursor"> {
  const from = cursor === undefined ? 0 : Number(cursor);
  const records = recordsIn(move);
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new TaskqError("TASKQ_STORAGE", `export: expected a cursor of this queue, got "${cursor}"`);
  }
  const rest = records.slice(from, from + limit);
  const taken = rest.slice(0, pageLength(rest, limit));
  const next = from + taken.length;
  return { records: taken, cursor: next < records.length ? String(next) : undefined };
}

export function countsOf(records: Iterable<MovedRecord>): MoveCounts {
  const counts: Record<string, number> = {};
  for (const record of records) {
    if (record.kind === "edge" && record.on === "turn") continue;
    const name = record.kind === "job" ? countedAs(record.state) : record.kind;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function finish(queue: QueueState, departure: string, destination: string): void {
  checkDeparture(queue, departure);
  const { moving } = queue;
  if (queue.phase === "left" && moving.destination !== destination) {
    throw movedError(queue.name, "left", ", to another destination");
  }
  queue.phase = "left";
  moving.destination = destination;
  outgoing.delete(queue);
  queue.hints.control();
}

function cancel(queue: QueueState, destination: string | undefined): void {
  if (queue.phase === "open") return;
  if (queue.phase === "arriving") throw movedError(queue.name, "arriving");
  if (queue.phase === "left" && queue.moving.destination !== destination) {
    throw movedError(queue.name, "left", ", to another destination");
  }
  queue.phase = "open";
  queue.moving.still = false;
  queue.moving.departure = queue.moving.destination = undefined;
  outgoing.delete(queue);
  queue.hints.control();
  queue.hints.ready();
}
