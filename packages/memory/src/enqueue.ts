/** Storing flows: all of a call, or none. */
import {
  takenError,
  TaskqError,
  type EnqueueAnswer,
  type EnqueueCollision,
  type EnqueueRequest,
  type NewFlow,
  type NewJob,
  type NewJoin,
  type StoredFlow,
} from "@taskq/core/storage";
import { keyOf } from "./made-id.js";
import type { Move, QueueState } from "./queue-state.js";
import { admitFrom } from "./runs.js";
import { storeFlow, type StoredRows, type Storing } from "./store-flow.js";

/** Stores the flows of a request. */
export function enqueue(move: Move, { flows, run }: EnqueueRequest): EnqueueAnswer | EnqueueCollision {
  admitFrom(move.queue, run);
  const collision = checkFlows(move, flows);
  if (collision !== undefined) return { collision };
  return { flows: storeFlows(move, flows).map(({ stored }) => stored), effects: move.effects };
}

/** Stores flows that are checked, one after the other. */
export function storeFlows(
  move: Move,
  flows: readonly NewFlow[],
  { gate, part }: Partial<Pick<Storing, "gate" | "part">> = {},
): readonly StoredRows[] {
  const ends = new Map<string, string>();
  return flows.map((flow) => {
    const known = knownFlow(move, flow);
    const rows =
      known === undefined ? storeFlow(move, flow, { gate, part, ends }) : { stored: known, jobs: [] };
    ends.set(flow.end, rows.stored.id);
    return rows;
  });
}

/**
 * Finds whatever speaks against storing these flows, before anything is changed: answers an id that is taken by another
 * one of core's making, and throws for the rest.
 */
export function checkFlows(move: Move, flows: readonly NewFlow[]): string | undefined {
  const names = new Map<string, string>();
  const madeIds = new Map<string, string>();
  const given = new Set<string>();
  for (const flow of flows) {
    for (const row of [...flow.jobs, ...flow.joins]) if (row.named === true) checkName(move, row, names);
    for (const { id } of [...flow.jobs, ...flow.joins]) given.add(id);
    checkSources(move, flow, given);
    const collision = collisionOf(move.queue, flow, madeIds);
    if (collision !== undefined) return collision;
  }
  return undefined;
}

/** The same for flows that a run adds: an id that only shares its key with another is stored, since nobody is there to make a new one. */
export function checkAdded(move: Move, flows: readonly NewFlow[]): void {
  const given = new Set<string>();
  for (const flow of flows) {
    for (const { id } of [...flow.jobs, ...flow.joins]) given.add(id);
    checkSources(move, flow, given);
  }
}

/** Whether one of these flows was given the id of another task's job. */
export function hasTakenId(move: Move, flows: readonly NewFlow[]): boolean {
  const names = new Map<string, string>();
  return flows.some(({ jobs, joins }) =>
    [...jobs, ...joins].some((row) => row.named === true && ownerOfName(move, row, names) !== undefined),
  );
}

function checkName(move: Move, row: NewJob | NewJoin, names: Map<string, string>): void {
  const other = ownerOfName(move, row, names);
  if (other !== undefined) throw takenError(row.id, other, taskOf(row));
}

/** The other task whose the id of this row is, if it is not its own. Empty: of a group. */
function ownerOfName(move: Move, row: NewJob | NewJoin, names: Map<string, string>): string | undefined {
  const known = names.get(row.id) ?? taskUnder(move, row.id);
  if (known !== undefined && known !== taskOf(row)) return known;
  names.set(row.id, taskOf(row));
  return undefined;
}

function taskOf(row: NewJob | NewJoin): string {
  return "task" in row ? row.task : "";
}

/** Empty: of a group. */
function taskUnder({ queue, now }: Move, id: string): string | undefined {
  const row = queue.rows.get(id);
  if (row !== undefined) return row.kind === "job" ? row.job.task : "";
  return queue.tombstones.get(id, now)?.task;
}

/** A flow that is there already may have outlived what it waited for. */
function checkSources(move: Move, flow: NewFlow, given: ReadonlySet<string>): void {
  const { jobs, joins } = flow;
  const asked = [
    ...jobs.flatMap(({ after }) => after?.map(({ source }) => source) ?? []),
    ...joins.flatMap(({ members }) => members),
  ];
  const unknown = asked.find((id) => !given.has(id) && !move.queue.rows.has(id));
  if (unknown !== undefined && knownFlow(move, flow) === undefined) {
    throw new TaskqError("TASKQ_STORAGE", `a flow waits for ${unknown}, which is not known`);
  }
}

/** An id that differs from one that is there in its random part only. */
function collisionOf(queue: QueueState, flow: NewFlow, madeIds: Map<string, string>): string | undefined {
  for (const row of [...flow.jobs, ...flow.joins]) {
    if (row.named === true) continue;
    const key = keyOf(row.id);
    if (key === undefined) continue;
    const taken = queue.madeIds.get(key) ?? madeIds.get(key);
    if (taken !== undefined && taken !== row.id) return row.id;
    madeIds.set(key, row.id);
  }
  return undefined;
}

/** The answer for a flow that is there already, by an id of the caller's or because the call is a repeat. */
function knownFlow(move: Move, flow: NewFlow): StoredFlow | undefined {
  const { queue, now } = move;
  const end = [...flow.jobs, ...flow.joins].find(({ id }) => id === flow.end);
  const there = [...flow.jobs, ...flow.joins].some(({ id }) => queue.rows.has(id));
  const tombstone = end?.named === true ? queue.tombstones.get(end.id, now) : undefined;
  if (!there && tombstone === undefined) return undefined;
  const state = queue.rows.get(flow.end)?.state ?? tombstone?.state ?? "completed";
  return { status: "existing", id: flow.end, state };
}
