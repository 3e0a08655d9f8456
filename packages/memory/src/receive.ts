/** Taking in records of another storage: what stands alone at once, what hangs together is kept until all is there. */
import type {
  MovedEdge,
  MovedHold,
  MovedControl,
  MovedJob,
  MovedJoin,
  MovedNote,
  MovedRecord,
  MovedValue,
  NewJob,
} from "@taskq/core/storage";
import { copyIfAny, copyOf } from "./bytes.js";
import { keyOf } from "./made-id.js";
import { receiveHistory } from "./moved-history.js";
import { copyNote } from "./notes.js";
import type { Arriving } from "./phase.js";
import type { QueueState } from "./queue-state.js";
import { newJobRow, newJoinRow, type Row } from "./rows.js";

/** Nothing is swept while a queue is filled: what is over counts too. */
const NEVER = -Infinity;

export function receive(queue: QueueState, arriving: Arriving, record: MovedRecord): void {
  switch (record.kind) {
    case "job":
    case "join":
      return receiveRow(queue, arriving, record);
    case "edge":
      arriving.edges.set(edgeKey(record), record);
      return;
    case "attempt": {
      const { kind: _, id, ...attempt } = record;
      const attempts = queue.jobOf(id)?.attempts;
      if (attempts?.some(({ fence }) => fence === attempt.fence) === false) {
        attempts.push({ ...attempt, error: copyIfAny(attempt.error) });
      }
      return;
    }
    case "note":
      return receiveNote(queue, arriving, record);
    case "name":
      queue.tombstones.set(record.id, { task: record.task, state: record.state }, record.until, NEVER);
      return;
    case "unique":
      arriving.uniques.set(record.key, record);
      return;
    case "hold":
      return receiveHold(queue, record);
    case "schedule": {
      const { kind: _, ...schedule } = record;
      queue.schedules.set(record.name, { record: { ...schedule, bytes: copyOf(schedule.bytes) } });
      return;
    }
    case "control":
      return receiveControl(queue, record);
    case "value":
      return receiveValue(queue, record);
    case "start":
    case "stats":
      return receiveHistory(arriving, record);
    case "feed":
    case "event":
      return queue.feed.receive(record);
  }
}

function edgeKey({ source, target, position, on }: MovedEdge): string {
  return JSON.stringify([target, source, position, on]);
}

function receiveRow(queue: QueueState, arriving: Arriving, record: MovedJob | MovedJoin): void {
  if (arriving.rows.has(record.id)) return;
  arriving.rows.set(record.id, record);
  const row = record.kind === "job" ? jobRow(queue, record) : joinRow(record);
  queue.rows.set(row.id, row);
  const key = record.named === true ? undefined : keyOf(row.id);
  if (key !== undefined) queue.madeIds.set(key, row.id);
}

function jobRow(queue: QueueState, record: MovedJob): Row {
  const row = newJobRow(newJob(record), { flow: 0, order: queue.nextOrder(), now: record.enqueuedAt });
  row.state = record.state;
  row.attempt = record.attempt;
  row.failures = record.failures;
  row.crashes = record.crashes;
  row.fence = record.fence;
  row.settledFence = record.settled;
  row.reaped = record.reaped;
  row.owner = record.owner;
  row.startedAt = record.startedAt;
  row.finishedAt = record.finishedAt;
  row.bytes = copyIfAny(record.bytes);
  row.reason = record.reason;
  queue.listing.add(row);
  queue.counts.add(record.task, record.state);
  return row;
}

function newJob(record: MovedJob): NewJob {
  return {
    id: record.id,
    named: record.named,
    task: record.task,
    body: copyOf(record.body),
    priority: record.priority,
    due: record.due,
    expiresAt: record.expiresAt,
    delivery: record.delivery,
    // Of the edges as enqueued, only the sources are asked for from here on.
    after: record.after?.map((source) => ({ source, on: "completed" })),
    gates: record.gates,
    unique: record.unique === undefined ? undefined : { ...record.unique, onConflict: "ignore" },
    keep: record.keep,
  };
}

function joinRow(record: MovedJoin): Row {
  const { id, mode, enqueuedAt } = record;
  const row = newJoinRow({ id, mode, members: [] }, [], { flow: 0, now: enqueuedAt });
  row.state = record.state;
  row.finishedAt = record.finishedAt;
  row.reason = record.reason;
  return row;
}

/** Lines come in the order of their positions, from wherever these begin: those that came before are there. */
function receiveNote(queue: QueueState, arriving: Arriving, { id, position, note }: MovedNote): void {
  const row = queue.jobOf(id);
  if (row === undefined) return;
  if (position === 0) row.progress = copyNote(note);
  else if (position > (arriving.lines.get(id) ?? 0)) {
    arriving.lines.set(id, position);
    (row.logs ??= []).push(copyNote(note));
  }
}

function receiveHold(queue: QueueState, { gate, ticket, owner, fence, expiresAt }: MovedHold): void {
  const order = queue.nextOrder();
  queue.gateOf(gate).tickets.set(ticket, {
    kind: "ticket",
    ticket,
    owner,
    max: 1,
    ttl: 0,
    fence,
    expiresAt,
    priority: 0,
    due: 0,
    order,
    parkOrder: order,
    heapIndex: -1,
  });
}

function receiveControl(queue: QueueState, { task, paused, revoked, once, until }: MovedControl): void {
  if (task === undefined) queue.paused = paused;
  else {
    if (paused) queue.pausedTasks.add(task);
    if (revoked) queue.revokedTasks.set(task, { once, until });
  }
}

function receiveValue(queue: QueueState, { key, value, expiresAt }: MovedValue): void {
  queue.values.set(
    key,
    typeof value === "number" ? { kind: "number", number: value } : { kind: "bytes", bytes: copyOf(value) },
    expiresAt ?? Infinity,
    NEVER,
  );
}
