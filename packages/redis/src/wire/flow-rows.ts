/** Rows of flows of which nothing is there yet, as the script `addMixed` takes them. */
import type { NewFlow, NewJob, NewJoin } from "@taskq/core/storage";
import { NOTHING_YET, seldomOf } from "./new-rows.js";
import { pack, Writer } from "./pack.js";
import { CODES } from "./requests.js";
import { INLINE, keyOf, PLACE, placeOf, SELDOM } from "./rows.js";

/** What a row is: a job that waits for nothing, one that waits for others, a group. */
const [ROOT, WAITING, JOIN] = [0, 1, 2] as const;

/** What is written of a flow. */
export interface FlowRows {
  /** How many rows it has; of each its key, what it is, priority, due, and its row up to the number of its flow and behind it. */
  readonly rows: readonly unknown[];
  /** Keys of groups, each with its packed members. */
  readonly members: readonly unknown[];
  /** Bodies that stand apart, each behind its field. */
  readonly bodies: readonly (readonly [field: string, body: Uint8Array])[];
}

/**
 * Whether all of a flow is new for sure if the ids of its rows are: nobody gave it an id, it holds no unique key, and waits for
 * nothing outside of it.
 */
export function isOwnFlow({ jobs, joins }: NewFlow): boolean {
  const known = new Set<string>();
  for (const { id, named, unique } of jobs) {
    if (named || unique !== undefined || placeOf(id) === undefined) return false;
    known.add(id);
  }
  // Groups within groups come before those.
  for (const { id, named, members } of joins) {
    if (named === true || placeOf(id) === undefined || members.length === 0) return false;
    if (!members.every((member) => known.has(member))) return false;
    known.add(id);
  }
  if (known.size < jobs.length + joins.length) return false;
  return jobs.some(({ after }) => after === undefined) && jobs.every((job) => waitsWithin(job, known));
}

function waitsWithin({ after }: NewJob, known: ReadonlySet<string>): boolean {
  return after === undefined || (after.length > 0 && after.every(({ source }) => known.has(source)));
}

/** What waits for a row, and on what condition; `m`: as a member. */
type Dependents = ReadonlyMap<string, readonly (readonly [id: string, on: string])[]>;

/** @param flow of its own */
export function flowRows(flow: NewFlow): FlowRows {
  const { jobs, joins } = flow;
  const dependents = dependentsIn(flow);
  const rows: unknown[] = [jobs.length + joins.length];
  const bodies: [string, Uint8Array][] = [];
  for (const job of jobs) {
    const { id, priority, due, after, body } = job;
    const key = keyOf(job);
    const isApart = body.length > INLINE;
    if (isApart) bodies.push([`b:${key}`, body]);
    const front = frontOf(job.task, [
      ...seldomOf(job),
      ...edgesOf(job),
      ...hangingOn(dependents, id),
      ...waitsOf(after),
    ]);
    rows.push(key, after === undefined ? ROOT : WAITING, priority, due, front);
    rows.push(backOf(id, priority, isApart ? body.length : body));
  }
  for (const join of joins) {
    const { id, mode, members } = join;
    const front = frontOf(mode, [...hangingOn(dependents, id), ...waitsOf(members)]);
    rows.push(keyOf(join), JOIN, 0, 0, front, backOf(id, 0, undefined));
  }
  return { rows, members: joins.flatMap((join) => [keyOf(join), pack(join.members)]), bodies };
}

function dependentsIn({ jobs, joins }: NewFlow): Dependents {
  const dependents = new Map<string, [string, string][]>();
  const add = (source: string, id: string, on: string): void => {
    const known = dependents.get(source);
    if (known === undefined) dependents.set(source, [[id, on]]);
    else known.push([id, on]);
  };
  for (const { id, members } of joins) for (const member of members) add(member, id, MEMBER);
  for (const { id, after = [] } of jobs) for (const { source, on } of after) add(source, id, CODES[on]);
  return dependents;
}

const MEMBER = "m";

function edgesOf({ after }: NewJob): readonly unknown[] {
  if (after === undefined) return [];
  const sources = after.map(({ source }) => source);
  return [SELDOM.after, sources, SELDOM.edges, after.map(({ source, on }) => [source, CODES[on]])];
}

function hangingOn(dependents: Dependents, id: string): readonly unknown[] {
  const own = dependents.get(id);
  return own === undefined ? [] : [SELDOM.dependents, own];
}

function waitsOf(sources: NewJob["after"] | NewJoin["members"]): readonly unknown[] {
  return sources === undefined ? [] : [SELDOM.waits, sources.length];
}

/** The task, or the mode of a group; and what few rows have, up to the number of its flow. */
function frontOf(task: string, seldom: readonly unknown[]): Buffer {
  const writer = new Writer();
  writer.value(task);
  writer.list(seldom.length + 2);
  for (const value of seldom) writer.value(value);
  writer.value(SELDOM.flow);
  return writer.bytes();
}

/** What a run has left, the size of a body that stands apart, the rest of the id, priority, body, result. */
function backOf(id: string, priority: number, body: Uint8Array | number | undefined): Buffer {
  const writer = new Writer();
  writer.value(typeof body === "number" ? body : undefined);
  writer.value(id.slice(PLACE));
  writer.value(priority);
  writer.value(typeof body === "number" ? undefined : body);
  writer.value(undefined);
  return Buffer.concat([NOTHING_YET, writer.bytes()]);
}
