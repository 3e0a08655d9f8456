/** A queue is filled from another storage. */
import {
  checkArriving,
  movedError,
  TaskqError,
  type ImportAnswer,
  type ImportRequest,
  type MoveCounts,
} from "@taskq/core/storage";
import { countsOf } from "./export.js";
import { Feed } from "./feed.js";
import { linkRows } from "./link.js";
import { forgetHistory, mergeHistory } from "./moved-history.js";
import { newArriving, notMoving, type Arriving } from "./phase.js";
import { purge } from "./purge.js";
import type { Move, QueueState } from "./queue-state.js";
import { receive } from "./receive.js";
import { recordsOf } from "./records.js";

export function importQueue(move: Move, request: ImportRequest): ImportAnswer {
  const { queue } = move;
  switch (request.kind) {
    case "begin":
      begin(move, request);
      return answer(queue);
    case "page": {
      const arriving = arrivingOf(queue, request.departure);
      if (!follows(queue, request)) return answer(queue);
      checkArriving(request.records);
      if (!arriving.complete) for (const record of request.records) receive(queue, arriving, record);
      queue.moving.cursor = request.cursor;
      return answer(queue);
    }
    case "seal": {
      const arriving = arrivingOf(queue, request.departure);
      if (!follows(queue, request)) return answer(queue);
      if (!arriving.complete) linkRows(move, arriving);
      arriving.complete = true;
      return { ...answer(queue), counts: countsOf(recordsOf(move)) };
    }
    case "open":
      open(move, request.departure, request.arrival);
      return answer(queue);
    case "cancel":
      cancel(move, request.departure);
      return answer(queue);
  }
}

/** Nothing that came before it is missing. */
function follows({ moving }: QueueState, { behind }: { readonly behind?: string | undefined }): boolean {
  return behind === undefined || moving.arriving?.complete === true || moving.cursor === behind;
}

function answer({ phase, epoch, moving }: QueueState): ImportAnswer {
  return {
    phase,
    epoch,
    departure: moving.origin,
    arrival: moving.arrival,
    cursor: moving.cursor,
    complete: phase !== "arriving" || moving.arriving?.complete === true,
    more: false,
    counts: undefined as MoveCounts | undefined,
  };
}

function begin(move: Move, request: Extract<ImportRequest, { readonly kind: "begin" }>): void {
  const { queue } = move;
  const { moving, phase, name } = queue;
  const known = request.arrival === moving.arrival && request.departure === moving.origin;
  if (request.arrival !== undefined && !known) {
    throw movedError(name, phase, ", and is not where the source has left for");
  }
  if (moving.origin === request.departure && (phase === "open" || phase === "arriving")) return;
  if (phase === "leaving") throw movedError(name, phase);
  if (phase === "open" && !isEmpty(queue)) {
    throw new TaskqError(
      "TASKQ_MOVE",
      `import: expected the queue "${name}" to be empty, got one that keeps something`,
    );
  }
  empty(move);
  // What it did before it left has gone to where it lived since.
  if (phase === "left") forgetHistory(queue);
  queue.phase = "arriving";
  queue.epoch = Math.max(queue.epoch, request.epoch) + 1;
  queue.moving = {
    ...notMoving(),
    origin: request.departure,
    arrival: crypto.randomUUID(),
    arriving: newArriving(),
  };
}

/** Schedules and pauses are no jobs: those that move take their place. */
function isEmpty({ rows, values, tombstones }: QueueState): boolean {
  return rows.size + values.size + tombstones.size === 0;
}

function empty(move: Move): void {
  const { queue } = move;
  purge(move, { queue: queue.name, limit: Infinity, everything: true });
  queue.schedules.clear();
  queue.paused = false;
  queue.pausedTasks.clear();
  queue.revokedTasks.clear();
  queue.gates.clear();
  queue.owners.clear();
  queue.feed = new Feed();
}

/** @throws `TASKQ_MOVED` */
function arrivingOf({ phase, moving, name }: QueueState, departure: string): Arriving {
  if (phase === "arriving" && moving.origin === departure && moving.arriving !== undefined) {
    return moving.arriving;
  }
  throw movedError(name, phase, ", and not from this departure");
}

function open(move: Move, departure: string, arrival: string): void {
  const { queue } = move;
  const { moving } = queue;
  if (queue.phase === "open" && moving.origin === departure && moving.arrival === arrival) return;
  const arriving = arrivingOf(queue, departure);
  if (!arriving.complete || moving.arrival !== arrival) {
    throw movedError(queue.name, queue.phase, ", and has not arrived whole");
  }
  mergeHistory(move, arriving);
  queue.phase = "open";
  moving.cursor = undefined;
  moving.arriving = undefined;
  queue.hints.control();
  queue.hints.ready();
}

function cancel(move: Move, departure: string | undefined): void {
  const { queue } = move;
  const { moving } = queue;
  const { origin } = moving;
  if (queue.phase !== "arriving" && origin !== undefined && (departure ?? origin) === origin) {
    throw movedError(queue.name, queue.phase, ", since it has opened here");
  }
  if (queue.phase !== "arriving" || (departure !== undefined && origin !== departure)) return;
  empty(move);
  queue.phase = "open";
  queue.moving = { ...notMoving(), arrival: moving.arrival };
}
