/** Storing one flow: its rows, its edges, its unique keys, and the first of its jobs into their lines. */
import { isFinal, type NewFlow, type NewJob, type StoredFlow } from "@taskq/core/storage";
import { copyOf } from "./bytes.js";
import { addEdge, brokenEdge } from "./edges.js";
import { admit, endIfExpired, finishUnasked, reconsider, reconsiderJoin } from "./finish.js";
import { park } from "./gates.js";
import { addMember, brokenMember } from "./joins.js";
import { keyOf } from "./made-id.js";
import type { Move, QueueState } from "./queue-state.js";
import { newJobRow, newJoinRow, type JobRow, type JoinRow, type Row } from "./rows.js";
import { holderOf, take, uniqueGate } from "./unique.js";

export interface StoredRows {
  readonly stored: StoredFlow;
  /** The jobs that were stored. */
  readonly jobs: readonly JobRow[];
}

export interface Storing {
  /** Under which the first jobs are parked, whatever their due. */
  readonly gate: string | undefined;
  /** The flow that it becomes part of, if it is not one of its own. */
  readonly part: number | undefined;
  /** What stands for the end of each flow that was asked for before in the call. */
  readonly ends: ReadonlyMap<string, string>;
}

/** Stores a flow that was checked, unless a unique key that it ignores conflicts for is taken. */
export function storeFlow(move: Move, flow: NewFlow, storing: Storing): StoredRows {
  const holder = ignoredFor(move, flow);
  if (holder !== undefined) {
    return { stored: { status: "existing", id: holder.id, state: holder.state }, jobs: [] };
  }
  const { jobs, joins } = addRows(move, flow, storing);
  const roots = jobs.filter(({ edges }) => edges.length === 0);
  for (const row of roots) {
    // What a sibling replaced may have broken a group, and this one with it.
    if (row.state === "blocked") placeRoot(move, row, jobs, storing.gate);
  }
  for (const join of joins) reconsiderJoin(move, join, brokenMember(join));
  for (const row of jobs) if (row.edges.length > 0) reconsider(move, row, brokenEdge(row));
  const first = roots[0] ?? jobs[0] ?? joins[0];
  return { stored: { status: "stored", id: flow.end, state: first?.state ?? "completed" }, jobs };
}

function addRows(
  move: Move,
  flow: NewFlow,
  { part, ends }: Storing,
): { jobs: readonly JobRow[]; joins: readonly JoinRow[] } {
  const { queue, now } = move;
  const number = part ?? queue.nextOrder();
  const jobs = flow.jobs.map((job) => {
    const stored = { flow: number, order: queue.nextOrder(), now };
    const row = newJobRow({ ...job, body: copyOf(job.body) }, stored);
    addRow(queue, row, job.named);
    queue.listing.add(row);
    queue.counts.add(job.task, row.state);
    return row;
  });
  const joins = addJoins(move, flow, number);
  for (const row of jobs) {
    for (const { source, on } of row.job.after ?? []) {
      const known = queue.rows.get(source) ?? queue.rows.get(ends.get(source) ?? "");
      if (known !== undefined) addEdge(row, known, on);
    }
  }
  return { jobs, joins };
}

/** Joins may be members of joins, in any order: those whose members are all there come first. */
function addJoins({ queue, now }: Move, flow: NewFlow, number: number): readonly JoinRow[] {
  const rows: JoinRow[] = [];
  let left = [...flow.joins];
  while (left.length > 0) {
    const later = left.filter((join) => {
      const members = join.members.flatMap((id) => queue.rows.get(id) ?? []);
      if (members.length < join.members.length) return true;
      const row = newJoinRow(join, members, { flow: number, now });
      for (const member of members) addMember(row, member);
      addRow(queue, row, row.named);
      rows.push(row);
      return false;
    });
    if (later.length === left.length) break;
    left = later;
  }
  return rows;
}

function addRow(queue: QueueState, row: Row, named: boolean): void {
  queue.rows.set(row.id, row);
  const key = named ? undefined : keyOf(row.id);
  if (key !== undefined && !queue.madeIds.has(key)) queue.madeIds.set(key, row.id);
}

/** What waits for its turn takes no key before: a stage of the flow whose turn it is may need that one. */
function placeRoot(move: Move, row: JobRow, siblings: readonly JobRow[], gate: string | undefined): void {
  if (gate !== undefined) park(move, row, gate);
  else if (takesOver(move, row, siblings) && row.state === "blocked") admit(move, row);
}

/**
 * A job that replaces takes the key of a waiting holder at once. Behind one that runs, it takes the place of the job
 * that waited there before, and `false` is answered. Jobs of one flow do not replace each other.
 */
function takesOver(move: Move, row: JobRow, siblings: readonly JobRow[]): boolean {
  const { unique } = row.job;
  if (unique?.onConflict !== "replace") return true;
  const entry = holderOf(move, unique.key);
  if (entry === undefined) return true;
  const { holder, replacement } = entry;
  if (siblings.some((sibling) => sibling === holder || sibling === replacement)) return true;
  if (isWaiting(holder)) {
    take(move, unique.key, row);
    replace(move, holder);
    return true;
  }
  park(move, row, uniqueGate(unique.key));
  entry.replacement = row;
  if (replacement !== undefined) replace(move, replacement);
  return false;
}

function isWaiting({ state }: JobRow): boolean {
  return state !== "active" && !isFinal(state);
}

/** One that would not have run any more ends as it would have by itself. */
function replace(move: Move, row: JobRow): void {
  if (!endIfExpired(move, row)) finishUnasked(move, row, "cancelled", "replaced");
}

/** The holder of a key for which the flow is not stored. One with a group is: who needs the key there waits for it, and takes no others along. */
function ignoredFor(move: Move, { jobs, joins }: NewFlow): JobRow | undefined {
  if (joins.length > 0) return undefined;
  for (const { unique, after } of jobs) {
    if (unique?.onConflict !== "ignore" || hasEdges(after)) continue;
    let entry = holderOf(move, unique.key);
    while (entry !== undefined && endsExpired(move, entry.holder)) entry = holderOf(move, unique.key);
    if (entry !== undefined) return entry.holder;
  }
  return undefined;
}

/** Ends a holder that will not run any more, so that its key is free: the new job would be lost with it. */
function endsExpired(move: Move, holder: JobRow): boolean {
  // A key until an instant outlives its job, however that ended.
  const isKept = typeof holder.job.unique?.until === "number";
  return !isKept && isWaiting(holder) && endIfExpired(move, holder);
}

function hasEdges(after: NewJob["after"]): boolean {
  return after !== undefined && after.length > 0;
}
