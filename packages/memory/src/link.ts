/** Putting together what has arrived: edges, flows, causes, lines, retention. */
import {
  isFinal,
  TaskqError,
  type MovedEdge,
  type MovedJob,
  type MovedUnique,
  type NewJob,
} from "@taskq/core/storage";
import { recountEdges } from "./edges.js";
import { planOpening } from "./gates.js";
import { addPart, recountMembers, sourcesOf } from "./joins.js";
import type { Arriving } from "./phase.js";
import type { Move, QueueState } from "./queue-state.js";
import { retain } from "./retention.js";
import { newJobRow, type JobRow, type JoinRow, type Row } from "./rows.js";

/** @throws `TASKQ_MOVE` when a part is missing */
export function linkRows(move: Move, arriving: Arriving): void {
  const { queue } = move;
  const rows = [...queue.rows.values()];
  for (const edge of inOrder(rows, arriving)) linkEdge(queue, edge);
  for (const row of rows) linkCause(queue, row, arriving);
  for (const row of rows) recount(row);
  for (const row of rows) if (row.kind === "job") linkReaders(row);
  nameFlows(queue, rows);
  placeAll(queue, rows, arriving);
  for (const unique of arriving.uniques.values()) linkUnique(queue, unique);
  for (const gate of queue.gates.values()) planOpening(move, gate);
}

/** Those that follow one row are told of its end in the order of enqueue, groups first, as where they were stored. */
function inOrder(rows: readonly Row[], { edges }: Arriving): readonly MovedEdge[] {
  const told = [...rows.filter(({ kind }) => kind === "join"), ...rows.filter(({ kind }) => kind === "job")];
  const places = new Map(told.map(({ id }, place) => [id, place]));
  const placeOf = ({ target }: MovedEdge): number => places.get(target) ?? rows.length;
  return [...edges.values()].toSorted(
    (left, right) => placeOf(left) - placeOf(right) || left.position - right.position,
  );
}

function linkEdge(queue: QueueState, edge: MovedEdge): void {
  const target = queue.rows.get(edge.target);
  if (target === undefined) {
    if (edge.on === "turn") return;
    queue.rows.get(edge.source)?.dependents.push({ target: goneRow(edge.target), on: "completed" });
    return;
  }
  const source = queue.rows.get(edge.source) ?? goneRow(edge.source);
  if (edge.on === "turn") {
    if (target.kind === "job" && !isFinal(source.state)) linkTurn(queue, source, target);
  } else if (target.kind === "join") linkMember(queue, target, source, edge);
  else if (edge.on !== "member" && edge.on !== "added") {
    target.edges.push({ source, on: edge.on });
    source.dependents.push({ target, on: edge.on });
  }
}

function linkTurn(queue: QueueState, source: Row, target: JobRow): void {
  const line = queue.moving.arriving?.rows.get(target.id);
  const gate = line?.kind === "job" ? line.line?.gate : undefined;
  if (gate?.startsWith("schedule:") === true) {
    const schedule = gate.slice("schedule:".length);
    const jobs = queue.awaitedEnds.get(source.id)?.jobs ?? [];
    queue.awaitedEnds.set(source.id, { schedule, jobs: [...jobs, target] });
  }
}

function linkMember(queue: QueueState, join: JoinRow, source: Row, edge: MovedEdge): void {
  if (edge.on !== "added") {
    join.members.push(source);
    source.dependents.push({ target: join, member: source });
    return;
  }
  // A storage may not know which member added it; then any does that has completed.
  const known = edge.member === undefined ? undefined : queue.rows.get(edge.member);
  const member = known ?? join.members.findLast(({ state }) => state === "completed") ?? source;
  addPart(join, member, source);
}

/** Why a row did not complete, and what was broken because of it. */
function linkCause(queue: QueueState, row: Row, arriving: Arriving): void {
  if (!isFinal(row.state) || row.state === "completed") return;
  const cause = arriving.rows.get(row.id)?.cause;
  if (cause === undefined || cause === row.id) {
    const failure = row.state === "failed" || row.state === "quarantined";
    row.broken = { root: row, reason: row.state, failure };
    return;
  }
  const root = queue.rows.get(cause) ?? goneRow(cause);
  const reason = row.reason ?? root.state;
  row.broken = { root, reason, failure: reason === "failed" || reason === "quarantined" };
  (root.victims ??= new Set()).add(row);
}

/** Stands for a job that was removed before the move: its id is still told. */
function goneRow(id: string, unique?: NewJob["unique"], state: Row["state"] = "failed"): JobRow {
  const job: NewJob = {
    id,
    named: false,
    task: "",
    body: new Uint8Array(0),
    priority: 0,
    due: 0,
    expiresAt: undefined,
    delivery: "at-least-once",
    after: undefined,
    gates: undefined,
    unique,
    keep: undefined,
  };
  const row = newJobRow(job, { flow: 0, order: 0, now: 0 });
  row.state = state;
  row.removed = true;
  return row;
}

function recount(row: Row): void {
  if (row.kind === "job") recountEdges(row);
  else recountMembers(row);
  if (row.state === "blocked" && row.waitingFor === 0) {
    throw new TaskqError(
      "TASKQ_MOVE",
      `import: ${row.id} is blocked, and waits for nothing that has arrived`,
    );
  }
}

/** An error handler whose turn has come reads the job that failed. */
function linkReaders(row: JobRow): void {
  if (row.state === "blocked" || row.state === "skipped") return;
  for (const { source, on } of row.edges) {
    if (on === "failed" && source.broken !== undefined) (source.broken.root.readers ??= new Set()).add(row);
  }
}

/** Whatever hangs together is one flow. */
function nameFlows(queue: QueueState, rows: readonly Row[]): void {
  const seen = new Set<Row>();
  for (const first of rows) {
    if (seen.has(first)) continue;
    const flow = queue.nextOrder();
    const open = [first];
    seen.add(first);
    for (let row = open.pop(); row !== undefined; row = open.pop()) {
      row.flow = flow;
      for (const next of [...sourcesOf(row), ...row.dependents.map(({ target }) => target)]) {
        if (seen.has(next)) continue;
        seen.add(next);
        open.push(next);
      }
    }
  }
}

function placeAll(queue: QueueState, rows: readonly Row[], { rows: records }: Arriving): void {
  const final = rows.filter(({ state }) => isFinal(state));
  for (const row of final.toSorted((left, right) => (left.finishedAt ?? 0) - (right.finishedAt ?? 0))) {
    retain(queue, row);
  }
  const parked: { readonly row: JobRow; readonly line: Line }[] = [];
  for (const row of rows) {
    const record = records.get(row.id);
    if (row.kind !== "job" || record?.kind !== "job") continue;
    if (row.state === "ready") queue.ready.push(row);
    if (row.state === "scheduled") queue.scheduled.push(row);
    if (row.state === "parked") parked.push({ row, line: lineOf(record) });
  }
  for (const { row, line } of parked.toSorted((left, right) => left.line.place - right.line.place)) {
    row.gate = line.gate;
    row.parkOrder = queue.nextOrder();
    queue.gateOf(line.gate).line.push(row);
  }
}

type Line = NonNullable<MovedJob["line"]>;

function lineOf({ id, line }: MovedJob): Line {
  if (line === undefined) throw new TaskqError("TASKQ_MOVE", `import: the job ${id} is parked nowhere`);
  return line;
}

function linkUnique(queue: QueueState, { key, holder, state, until, waiting }: MovedUnique): void {
  const gone = { key, until: until ?? "final", onConflict: "ignore" } as const;
  queue.uniques.set(key, {
    holder: queue.jobOf(holder) ?? goneRow(holder, gone, state ?? "completed"),
    replacement: waiting === undefined ? undefined : queue.jobOf(waiting),
  });
}
