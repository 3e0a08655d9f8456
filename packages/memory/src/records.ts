/** All that a queue keeps, as records that go to another storage: rows first, then what refers to them. */
import {
  isFinal,
  type MovedEdge,
  type MovedJob,
  type MovedJoin,
  type MovedRecord,
} from "@taskq/core/storage";
import { copyIfAny, copyOf } from "./bytes.js";
import { historyOf } from "./moved-history.js";
import { copyNote } from "./notes.js";
import type { Move, QueueState } from "./queue-state.js";
import type { JobRow, JoinRow, Row } from "./rows.js";
import { causeOf } from "./sources.js";

export function* recordsOf(move: Move): Generator<MovedRecord> {
  const { queue } = move;
  for (const row of queue.rows.values())
    yield row.kind === "job" ? jobRecord(row, move.now) : joinRecord(row);
  for (const row of queue.rows.values()) yield* row.kind === "job" ? jobEdges(queue, row) : joinEdges(row);
  for (const row of queue.rows.values()) yield* goneEdges(row);
  for (const row of queue.rows.values()) if (row.kind === "job") yield* storyOf(row);
  for (const [id, { value, until }] of queue.tombstones.entries())
    yield { kind: "name", id, ...value, until };
  yield* uniquesOf(queue);
  yield* holdsOf(queue);
  for (const { record } of queue.schedules.values()) yield { kind: "schedule", ...record };
  yield* controlsOf(queue);
  for (const [key, { value, until }] of queue.values.entries()) {
    yield {
      kind: "value",
      key,
      value: value.kind === "number" ? value.number : copyOf(value.bytes),
      expiresAt: until === Infinity ? undefined : until,
    };
  }
  yield* historyOf(queue);
  yield* queue.feed.records();
}

function jobRecord(row: JobRow, now: number): MovedJob {
  const { job } = row;
  const line = lineOf(row);
  const parked = row.state === "parked" || row.state === "active";
  const state = parked && line === undefined ? (row.due > now ? "scheduled" : "ready") : row.state;
  return {
    kind: "job",
    id: row.id,
    named: job.named,
    place: undefined,
    task: job.task,
    state: state as MovedJob["state"],
    body: copyOf(job.body),
    priority: row.priority,
    due: row.due,
    enqueuedAt: row.enqueuedAt,
    expiresAt: job.expiresAt,
    delivery: job.delivery,
    after: job.after?.map(({ source }) => source),
    gates: job.gates,
    unique: job.unique === undefined ? undefined : { key: job.unique.key, until: job.unique.until },
    keep: job.keep,
    attempt: row.attempt,
    failures: row.failures,
    crashes: row.crashes,
    fence: row.fence,
    settled: row.settledFence,
    reaped: row.reaped,
    owner: row.owner,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    bytes: copyIfAny(row.bytes),
    reason: row.reason,
    cause: causeOf(row),
    line,
  };
}

/** Other gates are found closed anew by whoever claims. */
function lineOf({ state, gate, parkOrder }: JobRow): MovedJob["line"] {
  const kept = gate?.startsWith("unique:") === true || gate?.startsWith("schedule:") === true;
  return state === "parked" && gate !== undefined && kept ? { gate, place: parkOrder } : undefined;
}

function joinRecord(row: JoinRow): MovedJoin {
  const { id, named, mode, state, enqueuedAt, finishedAt, reason, broken } = row;
  return {
    kind: "join",
    id,
    named,
    place: undefined,
    mode,
    state,
    enqueuedAt,
    finishedAt,
    reason,
    cause: broken?.root.id,
  };
}

function* jobEdges(queue: QueueState, row: JobRow): Generator<MovedEdge> {
  const target = row.id;
  for (const [position, { source, on }] of row.edges.entries()) {
    yield { kind: "edge", source: source.id, target, position, on, member: undefined };
  }
  if (row.gate?.startsWith("schedule:") !== true) return;
  for (const [source, awaiting] of queue.awaitedEnds) {
    if (awaiting.jobs.includes(row))
      yield { kind: "edge", source, target, position: -1, on: "turn", member: undefined };
  }
}

function* joinEdges(row: JoinRow): Generator<MovedEdge> {
  const target = row.id;
  for (const [position, { id }] of row.members.entries()) {
    yield { kind: "edge", source: id, target, position, on: "member", member: undefined };
  }
  let position = row.members.length;
  for (const [member, ends] of row.added) {
    for (const { id } of ends) {
      yield { kind: "edge", source: id, target, position, on: "added", member: member.id };
      position += 1;
    }
  }
}

/** To followers that were removed: their ids are still told. */
function* goneEdges(row: Row): Generator<MovedEdge> {
  const { id: source, dependents } = row;
  for (const [position, dependent] of dependents.entries()) {
    const { target } = dependent;
    if (!target.removed) continue;
    const on = "on" in dependent ? dependent.on : "member";
    yield { kind: "edge", source, target: target.id, position, on, member: undefined };
  }
}

function* storyOf({ id, attempts, progress, logs }: JobRow): Generator<MovedRecord> {
  for (const attempt of attempts) yield { kind: "attempt", id, ...attempt };
  if (progress !== undefined) yield { kind: "note", id, position: 0, note: copyNote(progress) };
  for (const [index, line] of (logs ?? []).entries()) {
    yield { kind: "note", id, position: index + 1, note: copyNote(line) };
  }
}

function* uniquesOf({ uniques }: QueueState): Generator<MovedRecord> {
  for (const [key, { holder, replacement }] of uniques) {
    const until = holder.job.unique?.until;
    yield {
      kind: "unique",
      key,
      holder: holder.id,
      state: holder.removed ? holder.state : undefined,
      until: typeof until === "number" ? until : undefined,
      waiting: replacement === undefined || isFinal(replacement.state) ? undefined : replacement.id,
    };
  }
}

function* holdsOf({ gates }: QueueState): Generator<MovedRecord> {
  for (const { name, tickets } of gates.values()) {
    for (const { ticket, owner, fence, expiresAt } of tickets.values()) {
      yield { kind: "hold", gate: name, ticket, owner, fence, expiresAt };
    }
  }
}

function* controlsOf({ paused, pausedTasks, revokedTasks }: QueueState): Generator<MovedRecord> {
  const plain = { kind: "control", revoked: false, once: false, until: undefined } as const;
  if (paused) yield { ...plain, task: undefined, paused };
  for (const task of new Set([...pausedTasks, ...revokedTasks.keys()])) {
    const revocation = revokedTasks.get(task);
    yield {
      kind: "control",
      task,
      paused: pausedTasks.has(task),
      revoked: revocation !== undefined,
      once: revocation?.once ?? false,
      until: revocation?.until,
    };
  }
}
