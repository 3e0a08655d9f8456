/** Recording an instant of a schedule. */
import {
  isFinal,
  TaskqError,
  type NewFlow,
  type StoredFlow,
  type TickAnswer,
  type TickRequest,
} from "@taskq/core/storage";
import { checkFlows, storeFlows } from "./enqueue.js";
import { jobsBefore } from "./flow-graph.js";
import type { Move, Schedule } from "./queue-state.js";
import { revocationOf, useUpRevocation } from "./revocation.js";
import type { Row } from "./rows.js";

/** Records an instant and enqueues what belongs to it. */
export function tick(move: Move, request: TickRequest): TickAnswer {
  const { queue } = move;
  const schedule = queue.schedules.get(request.name);
  if (schedule === undefined) return { status: "removed", lastAt: undefined, flows: [], effects: [] };
  const { lastAt } = schedule.record;
  if (lastAt !== request.previous || request.at <= lastAt || request.at > move.now) {
    return { status: "stale", lastAt, flows: [], effects: [] };
  }
  checkFlows(move, request.flows);
  schedule.record = { ...schedule.record, lastAt: request.at };
  return { ...fire(move, schedule, request), lastAt: request.at, effects: move.effects };
}

interface Fired {
  readonly status: TickAnswer["status"];
  readonly flows: readonly StoredFlow[];
  readonly skipped: number;
}

function fire(move: Move, schedule: Schedule, { flows, overlap }: TickRequest): Fired {
  const { paused } = schedule.record;
  const skipped = paused ? 0 : skip(move, schedule, flows.length);
  if (paused) return { status: "paused", flows: [], skipped };
  if (skipped > 0 && skipped === flows.length) return { status: "revoked", flows: [], skipped };
  const asked = flows.slice(skipped);
  const stored = asked
    .slice(0, allowed(move, schedule, overlap))
    .map((flow) => store(move, schedule, flow, overlap !== "allow"));
  return {
    status: asked.length > 0 && stored.length === 0 ? "overlapped" : "applied",
    flows: stored,
    skipped,
  };
}

/** How many of the first flows are skipped, since their task is revoked: all, or one that uses it up. */
function skip({ queue, now }: Move, { record }: Schedule, flows: number): number {
  const revocation = flows > 0 ? revocationOf(queue, record.task, now) : undefined;
  if (revocation === undefined) return 0;
  useUpRevocation(queue, record.task);
  return revocation.once ? 1 : flows;
}

/** How many flows may be enqueued: all, or one to wait for a run that has begun. */
function allowed(move: Move, schedule: Schedule, overlap: TickRequest["overlap"]): number {
  if (overlap === "allow") return Infinity;
  const last = unfinishedEnd(move, schedule);
  if (last === undefined) return Infinity;
  if (overlap === "skip") return 0;
  return jobsBefore(last).some(({ state, attempt }) => state === "active" || attempt > 0) ? 1 : 0;
}

/** The end of the flow enqueued last, while that is not final. */
function unfinishedEnd({ queue }: Move, { record }: Schedule): Row | undefined {
  const last = record.lastId === undefined ? undefined : queue.rows.get(record.lastId);
  return last !== undefined && !isFinal(last.state) ? last : undefined;
}

/** @param inTurn Whether it waits for the flow before. */
function store(move: Move, schedule: Schedule, flow: NewFlow, inTurn: boolean): StoredFlow {
  const { record } = schedule;
  const before = inTurn ? unfinishedEnd(move, schedule) : undefined;
  const [result] = storeFlows(move, [flow], {
    gate: before === undefined ? undefined : `schedule:${record.name}`,
  });
  if (result === undefined) throw new TaskqError("TASKQ_STORAGE", "a flow was not stored");
  if (result.stored.status === "stored") {
    if (before !== undefined)
      move.queue.awaitedEnds.set(before.id, { schedule: record.name, jobs: result.jobs });
    schedule.record = { ...record, lastId: flow.end };
  }
  return result.stored;
}
