/** Flows that are there already, by an id or by a unique key. */
import {
  splitId,
  takenError,
  type EnqueueCollision,
  type NewFlow,
  type NewJob,
  type NewJoin,
  type StoredFlow,
} from "@taskq/core/storage";
import { followConsequences } from "./consequences.js";
import type { Move } from "./move.js";
import { stateName } from "./row.js";
import { nameRow, rowById } from "./rows.js";
import { endExpiredHolder, uniqueHolder } from "./unique.js";

/** Thrown to undo a call whose generated id is taken by another job. */
export class Collision {
  readonly id: string;
  constructor(id: string) {
    this.id = id;
  }
}

/** What is answered instead of a collision that was thrown. */
export function collisionOf(error: unknown): EnqueueCollision {
  if (error instanceof Collision) return { collision: error.id };
  throw error;
}

/** The answer for a flow that is there already, by an id of the caller's or because the call is a repeat. */
export function knownFlow(move: Move, flow: NewFlow, elsewhere: boolean): StoredFlow | undefined {
  const { connection } = move.scope;
  let there = false;
  for (const row of [...flow.jobs, ...flow.joins]) {
    if (row.named === true) there = isNamed(move, row, flow.end) || there;
    else there = isMade(move, row.id, elsewhere) || there;
  }
  if (!there) return undefined;
  const end = rowById(connection, move.queue, flow.end);
  const state = end?.state ?? nameRow(connection, move.queue, flow.end)?.state;
  return { status: "existing", id: flow.end, state: stateName(state ?? 5) };
}

/** Whether one of these flows was given the id of another task's job. */
export function hasTakenId(move: Move, flows: readonly NewFlow[]): boolean {
  const names = new Map<string, string>();
  for (const { jobs, joins } of flows) {
    for (const row of [...jobs, ...joins]) {
      if (row.named !== true) continue;
      const task = "task" in row ? row.task : "";
      if ((names.get(row.id) ?? taskUnder(move, row.id) ?? task) !== task) return true;
      names.set(row.id, task);
    }
  }
  return false;
}

/** Whose an id is. Empty: of a group. */
function taskUnder({ scope, queue, now }: Move, id: string): string | undefined {
  const known = nameRow(scope.connection, queue, id);
  if (known !== undefined) return known.key === null && known.until <= now ? undefined : known.task;
  return splitId(id) === undefined ? undefined : rowById(scope.connection, queue, id)?.task;
}

/** Whether a name is taken by a job of this task, or by a group, or remembered for one. @throws `TASKQ_ID_TAKEN` */
function isNamed(move: Move, row: NewJob | NewJoin, end: string): boolean {
  const { connection } = move.scope;
  const task = "task" in row ? row.task : "";
  const known = nameRow(connection, move.queue, row.id);
  if (known === undefined) {
    // It may be the generated id of a job that is there.
    const made = splitId(row.id) === undefined ? undefined : rowById(connection, move.queue, row.id);
    if (made !== undefined && made.task !== task) throw takenError(row.id, made.task, task);
    return made !== undefined;
  }
  if (known.key === null && known.until <= move.now) return false;
  if (known.task !== task) throw takenError(row.id, known.task, task);
  return known.key !== null || row.id === end;
}

/** Whether a generated id is there. @throws `Collision` when its key is another's, unless it may be kept elsewhere */
function isMade(move: Move, id: string, elsewhere: boolean): boolean {
  const parts = splitId(id);
  const { connection } = move.scope;
  if (parts === undefined) return nameRow(connection, move.queue, id) !== undefined;
  const row = move
    .raw("SELECT random, queue, flags & 256 FROM {jobs} WHERE key = (? << 21) | ?")
    .get(parts.time, parts.low) as [number, number, number] | undefined;
  if (row === undefined) return false;
  if (row[0] === parts.random && row[1] === move.queue.id && row[2] === 0) return true;
  if (elsewhere) return nameRow(connection, move.queue, id) !== undefined;
  throw new Collision(id);
}

/** The holder of a key for which the flow is not stored. One with a group is: who needs the key there waits for it, and takes no others along. */
export function ignoredFor(move: Move, { jobs, joins }: NewFlow): StoredFlow | undefined {
  if (joins.length > 0) return undefined;
  for (const { unique, after } of jobs) {
    if (unique?.onConflict !== "ignore" || (after !== undefined && after.length > 0)) continue;
    while (endExpiredHolder(move, unique.key)) followConsequences(move);
    const holder = uniqueHolder(move, unique.key);
    if (holder !== undefined) {
      return { status: "existing", id: holder.id, state: stateName(holder.state) };
    }
  }
  return undefined;
}
