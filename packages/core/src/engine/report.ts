/** Events about what was stored. */
import type { EnqueueAnswer, JobEffect, NewFlow, ReapedRun, SettleAnswer } from "../storage.js";
import type { RunEvent } from "../vocabulary/events.js";
import type { Engine } from "./engine-types.js";
import type { FinishedRun } from "./finished-run.js";
import { storageFailure } from "./failure.js";
import { skipReason } from "./sources.js";
import type { Run } from "./run.js";

/** What the gates of limits begin with. */
const LIMIT = "limit:";
/** And those of tasks that whoever asked for jobs does not have. */
const UNKNOWN = "task:";

/** Tells what became of a run. */
export function reportSettled(finished: FinishedRun, answer: SettleAnswer): void {
  if (answer === "repeated" || answer === "refused") return;
  const { run, endedAt, settlement, error, timeoutMs } = finished;
  const { events } = run.engine;
  if (answer === "lost") return reportLost(run);
  const { outcome } = settlement;
  // The usual end, and the usual lack of listeners, cost nothing.
  if (outcome.kind === "completed") {
    if (run.joined !== undefined) reportJoined(run);
    if (!events.wants("completed")) return;
    return events.emit("completed", { ...runEvent(run, endedAt), durationMs: durationOf(finished) });
  }
  if (outcome.kind === "quarantined") {
    const { id, task } = run.claimed;
    if (error === undefined || !events.wants("quarantined")) return;
    return events.emit("quarantined", { id, task, time: new Date(endedAt), error });
  }
  const event = runEvent(run, endedAt);
  if (timeoutMs !== undefined) events.emit("timeout", { ...event, timeoutMs });
  const { attempt: _, ...jobEvent } = event;
  switch (outcome.kind) {
    case "failed":
      if (error !== undefined) events.emit("failed", { ...event, durationMs: durationOf(finished), error });
      return;
    case "retry":
      if (error !== undefined) events.emit("retrying", { ...event, at: new Date(outcome.due), error });
      return;
    case "cancelled":
      if (outcome.reason === "revoked") events.emit("revoked", jobEvent);
      else events.emit("cancelled", { ...jobEvent, reason: outcome.reason });
      return;
    case "expired":
      return events.emit("expired", jobEvent);
    case "skipped":
      return events.emit("skipped", { ...jobEvent, reason: outcome.reason });
    case "interrupted":
      return events.emit("interrupted", event);
    case "released":
    case "postponed":
    case "keyed":
      return;
  }
}

/** The clock may have been set back meanwhile. */
function durationOf({ run, endedAt }: FinishedRun): number {
  return Math.max(0, endedAt - run.startedAt);
}

/** Tells that a run had passed to somebody else. */
export function reportLost(run: Run): void {
  run.engine.events.emit("lease-lost", {
    ...runEvent(run, run.engine.time.now()),
    fence: run.claimed.fence,
  });
}

/** Tells what a move did to other jobs. */
export function reportEffects(engine: Engine, effects: readonly JobEffect[]): void {
  if (effects.length === 0) return;
  const time = new Date(engine.time.now());
  const { events } = engine;
  for (const { kind, id, task, reason, gate, attempt } of effects) {
    const event = { id, task, time };
    if (kind === "skipped") events.emit("skipped", { ...event, reason: skipReason(reason) });
    else if (kind === "expired") events.emit("expired", event);
    else if (kind === "cancelled" && reason === "revoked") events.emit("revoked", event);
    else if (kind === "cancelled") events.emit("cancelled", { ...event, reason: reason ?? "cancelled" });
    else if (kind === "interrupted") events.emit("interrupted", { ...event, attempt });
    else if (kind === "quarantined") {
      events.emit("quarantined", { ...event, error: storageFailure(reason, attempt) });
    } else if (kind === "failed") {
      events.emit("failed", { ...event, attempt, durationMs: 0, error: storageFailure(reason, attempt) });
    } else if (kind === "parked" && gate?.startsWith(UNKNOWN) === true) {
      engine.unknownTasks.meet(task);
    } else if (kind === "parked" && gate?.startsWith(LIMIT) === true) {
      events.emit("limited", { ...event, key: gate.slice(LIMIT.length) });
    } else if (kind === "parked" && gate !== undefined && !/^(pause|unique|schedule):/.test(gate)) {
      events.emit("locked", { ...event, key: gate.replace(/^(?:lock|concurrency):/, "") });
    }
  }
}

/** Tells of runs taken from consumers that died. */
export function reportReaped(engine: Engine, reaped: readonly ReapedRun[]): void {
  const time = new Date(engine.time.now());
  for (const { id, task, attempt, begun } of reaped) {
    if (begun) engine.events.emit("interrupted", { id, task, attempt, time });
  }
}

/** Tells of flows that were stored. */
export function reportEnqueued(engine: Engine, flows: readonly NewFlow[], answer: EnqueueAnswer): void {
  const { events } = engine;
  if (events.wants("enqueued") || events.wants("scheduled")) {
    const stored = flows.filter((_, index) => answer.flows[index]?.status === "stored");
    reportStored(engine, stored);
  }
  // Some of them may have ended in the very same step.
  reportEffects(engine, answer.effects);
}

/** A settlement does not tell whether an id of the caller's or a unique key was taken: of those nothing is told. */
function reportJoined({ engine, joined = [] }: Run): void {
  const flows = joined.map(({ flow }) => flow);
  reportStored(
    engine,
    flows.filter(({ jobs }) => jobs.every(({ named, unique }) => !named && unique === undefined)),
  );
}

function reportStored({ events, time }: Engine, flows: readonly NewFlow[]): void {
  if (!events.wants("enqueued") && !events.wants("scheduled")) return;
  const now = time.now();
  for (const { id, task, due } of flows.flatMap(({ jobs }) => jobs)) {
    const event = { id, task, time: new Date(now) };
    if (due > now) events.emit("scheduled", { ...event, at: new Date(due) });
    else events.emit("enqueued", event);
  }
}

function runEvent({ claimed }: Run, time: number): RunEvent {
  const { id, task, attempt } = claimed;
  return { id, task, attempt, time: new Date(time) };
}
