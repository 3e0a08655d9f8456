import type { NewFlow, NewJob, NewJoin, StoredFlow } from "@taskq/core/storage";
import { followConsequences } from "./consequences.js";
import { edgesTo } from "./edge-rows.js";
import { followEdge } from "./edges.js";
import { finish, NO_REASON } from "./final.js";
import { shapeOf } from "./flow-shape.js";
import { insertJob, insertJoin } from "./insert-rows.js";
import { enterLine, park } from "./line.js";
import type { Move } from "./move.js";
import { keyText, OUTSIDE, placesOf, type Placing } from "./place.js";
import { BLOCKED, COMPLETED, isFinalState, stateName, type Key } from "./row.js";
import { rowByKey } from "./rows.js";
import { skipIfDead } from "./skip-dead.js";
import { takeOrPark, takesOver } from "./unique.js";

/** How a flow is stored beside its rows. */
export interface Storing {
  /** Key of the join to which the end leads. */
  readonly trunk?: Key | undefined;
  /** Under which its first jobs are parked, whatever their due. */
  readonly gate?: string | undefined;
  /** Ids that stand for others: ends of flows of the same call that were there already. */
  readonly ends?: ReadonlyMap<string, string> | undefined;
  /** Where the key of a generated id is taken, its row has another one, found by its name. */
  readonly elsewhere?: boolean | undefined;
}

export interface StoredRows {
  readonly stored: StoredFlow;
  readonly endKey: Key;
  readonly roots: readonly Key[];
}

const NO_ENDS: ReadonlyMap<string, string> = new Map();

/** Stores a flow of which nothing is there. */
export function storeFlow(move: Move, flow: NewFlow, storing: Storing = {}): StoredRows {
  const { trunk, gate, ends = NO_ENDS, elsewhere = false } = storing;
  const rows = placesOf(move, flow, elsewhere);
  const shape = shapeOf(flow, trunk === undefined ? undefined : OUTSIDE);
  const placing: Placing = { move, rows, shape, trunk, ends, outside: new Set() };
  for (const join of flow.joins) insertJoin(placing, join);
  const roots = flow.jobs.filter((job) => !hasEdges(job));
  // A root takes its place in line at once, unless a unique key or a gate has a say in it.
  const isDirect = (job: NewJob): boolean => gate === undefined && job.unique === undefined && !hasEdges(job);
  let state = BLOCKED;
  for (const job of flow.jobs) {
    const stored = insertJob(placing, job, isDirect(job));
    if (job === roots[0]) state = stored;
  }
  const others = roots.filter((job) => !isDirect(job));
  const siblings = new Set(others.length === 0 ? [] : [...rows.values()].map(({ key }) => key));
  for (const job of others) {
    const placed = beginRoot(placing, job, gate, siblings);
    if (job === roots[0]) state = placed;
  }
  finishEmptyJoins(placing, flow.joins);
  if (placing.outside.size > 0) followFinalSources(placing, flow);
  followConsequences(move);
  return {
    stored: { status: "stored", id: flow.end, state: stateName(state) },
    endKey: keyText(placing, flow.end),
    roots: roots.map(({ id }) => keyText(placing, id)),
  };
}

function hasEdges({ after }: NewJob): boolean {
  return after !== undefined && after.length > 0;
}

/** A job without edges takes its key and its place; answers its state. */
function beginRoot(
  placing: Placing,
  { id, unique }: NewJob,
  gate: string | undefined,
  siblings: ReadonlySet<Key>,
): number {
  const { move } = placing;
  const row = rowByKey(move.scope.connection, keyText(placing, id));
  // What another root replaced may have broken a group, and this one with it.
  if (row === undefined || row.state !== BLOCKED) return row?.state ?? BLOCKED;
  if (skipIfDead(move, row)) return row.state;
  if (gate !== undefined) {
    park(move, row, gate);
    return row.state;
  }
  const goesOn = unique === undefined || takesOver(move, row, unique, siblings);
  followConsequences(move);
  // What this one replaced may have broken its group: it ends with that, and holds no key.
  if (goesOn && !skipIfDead(move, row) && takeOrPark(move, row)) enterLine(move, row);
  return row.state;
}

function finishEmptyJoins(placing: Placing, joins: readonly NewJoin[]): void {
  for (const { id, members } of joins) {
    if (members.length > 0) continue;
    const row = rowByKey(placing.move.scope.connection, keyText(placing, id));
    if (row !== undefined) finish(placing.move, row, COMPLETED, NO_REASON);
  }
}

/** Satisfies or breaks edges to what was final before. */
function followFinalSources({ move, rows, outside }: Placing, flow: NewFlow): void {
  for (const { id } of [...flow.joins, ...flow.jobs]) {
    const key = rows.get(id)?.key;
    if (key === undefined) continue;
    for (const edge of edgesTo(move, key)) {
      const source = outside.has(edge.source) ? rowByKey(move.scope.connection, edge.source) : undefined;
      if (source !== undefined && isFinalState(source.state)) followEdge(move, source, edge);
    }
    followConsequences(move);
  }
}
