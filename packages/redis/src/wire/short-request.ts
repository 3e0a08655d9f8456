/** What is stored the short way, as the scripts `add` and `addMixed` take it: most jobs are alone, and most flows are of their own. */
import type { NewFlow, NewJob } from "@taskq/core/storage";
import { flowRows, isOwnFlow } from "./flow-rows.js";
import { begin, beginRun, end, endRun, writeNamed, writeRow } from "./new-rows.js";
import { pack } from "./pack.js";
import { INLINE, keyOf, placeOf } from "./rows.js";

export interface ShortRequest {
  /** Of lone jobs that are alike priority, due and how many they are, then the key of each and the rest of its row. */
  readonly jobs: Buffer;
  /** Bodies that stand apart, each behind its field, with `mixed` also behind its place; empty if there are none. */
  readonly bodies: Buffer;
  /** What else there is, and what `addMixed` is told of it. `undefined`: there are plain jobs alone. */
  readonly mixed: readonly Buffer[] | undefined;
}

const NONE = Buffer.alloc(0);

/** `undefined` if something may stand in the way that the short scripts know nothing of, or there is nothing. */
export function shortRequest(flows: readonly NewFlow[]): ShortRequest | undefined {
  const { length } = flows;
  if (length === 0) return undefined;
  let mixed: Mixed | undefined;
  let apart: number[] | undefined;
  let like: NewJob | undefined;
  let [lone, runs, run, alike, key] = [0, 0, 0, 0, 0];
  let areInOrder = true;
  begin(length);
  for (let place = 0; place < length; place += 1) {
    const flow = flows[place] as NewFlow;
    const job = loneJob(flow);
    if (job === undefined) {
      if (!isOwnFlow(flow)) return undefined;
      (mixed ??= new Mixed()).addFlow(flow, place + 1);
      areInOrder = false;
      continue;
    }
    lone += 1;
    if (like === undefined || job.due !== like.due || job.priority !== like.priority) {
      if (runs > 0) endRun(run, alike, length);
      like = job;
      runs += 1;
      alike = 0;
      run = beginRun(job, length);
    }
    alike += 1;
    const isApart = job.body.length > INLINE;
    if (isApart) (apart ??= []).push(place);
    if (job.named || job.unique !== undefined) (mixed ??= new Mixed()).addKeys(job, place + 1);
    if (job.named) {
      writeNamed(job, isApart);
      continue;
    }
    key = writeRow(job, isApart, Math.abs(key));
    if (key === 0) return undefined;
    if (key < 0) areInOrder = false;
  }
  if (runs > 0) endRun(run, alike, length);
  // Those in order are all different.
  if (!areInOrder && areAlike(flows)) return undefined;
  return {
    jobs: end(length, lone, runs),
    bodies: bodiesOf(flows, apart, mixed),
    mixed: mixed?.parameters(),
  };
}

/** Whether it may go the short way, as far as it knows itself. */
export function goesShort(flow: NewFlow): boolean {
  return loneJob(flow) !== undefined || isOwnFlow(flow);
}

/** The job of a flow that is one job which belongs to nothing, and takes no other's place. */
function loneJob({ jobs, joins }: NewFlow): NewJob | undefined {
  const [job] = jobs;
  if (job === undefined || jobs.length > 1 || joins.length > 0 || job.after !== undefined) return undefined;
  if (job.unique?.onConflict === "replace") return undefined;
  // Who gives an id of the form that core makes may mean a job that has it.
  return job.named && placeOf(job.id) !== undefined ? undefined : job;
}

/** What is no plain job. */
class Mixed {
  readonly #keys: unknown[] = [];
  readonly #flows: unknown[] = [];
  readonly #members: unknown[] = [];
  /** Of flows, those that stand apart: place, field, body. */
  readonly bodies: unknown[] = [];

  /** Of a job that was given an id, or holds a unique key. */
  addKeys({ id, named, task, unique }: NewJob, place: number): void {
    this.#keys.push(place, named && id, task, unique?.key ?? false, unique?.until ?? false);
  }

  addFlow(flow: NewFlow, place: number): void {
    const { rows, members, bodies } = flowRows(flow);
    this.#flows.push(place);
    for (const value of rows) this.#flows.push(value);
    for (const value of members) this.#members.push(value);
    for (const [field, body] of bodies) this.bodies.push(place, field, body);
  }

  parameters(): readonly Buffer[] {
    const members = this.#members.length === 0 ? NONE : pack(this.#members);
    return [pack(this.#keys), pack(this.#flows), members];
  }
}

/** Whether two rows have the same key. */
function areAlike(flows: readonly NewFlow[]): boolean {
  const seen = new Set<string | undefined>();
  let made = 0;
  for (const { jobs, joins } of flows) {
    for (const { id, named } of [...jobs, ...joins]) {
      if (named === true) continue;
      seen.add(placeOf(id));
      made += 1;
    }
  }
  return seen.size < made;
}

function bodiesOf(
  flows: readonly NewFlow[],
  places: readonly number[] | undefined,
  mixed: Mixed | undefined,
): Buffer {
  if (places === undefined && (mixed === undefined || mixed.bodies.length === 0)) return NONE;
  const values: unknown[] = [...(mixed?.bodies ?? [])];
  for (const place of places ?? []) {
    const [job] = (flows[place] as NewFlow).jobs;
    if (job === undefined) continue;
    if (mixed !== undefined) values.push(place + 1);
    values.push(`b:${keyOf(job)}`, job.body);
  }
  return pack(values);
}
