/** Jobs that belong to no flow, hold no key and were given no id, as the script `add` takes them. */
import type { NewFlow, NewJob } from "@taskq/core/storage";
import { pack, Writer } from "./pack.js";
import { INLINE, isMade, madeKey, placeOf, writeRow } from "./rows.js";

export interface PlainRequest {
  /** Of those that are alike priority, due and how many they are, then the key of each and the rest of its row. */
  readonly jobs: Buffer;
  /** Bodies that stand apart, each behind its field; empty if there are none. */
  readonly bodies: Buffer;
}

const NONE = Buffer.alloc(0);

/** `undefined` if there is any other, or none. */
export function plainRequest(flows: readonly NewFlow[]): PlainRequest | undefined {
  const jobs = plainJobs(flows);
  if (jobs === undefined) return undefined;
  const writer = new Writer();
  const apart: (string | Uint8Array)[] = [];
  const last = Buffer.alloc(madeKey.length);
  let areInOrder = true;
  let alike = 0;
  writer.list(jobs.length * 2 + runsIn(jobs) * 3);
  for (const [place, job] of jobs.entries()) {
    if (!isMade(job.id)) return undefined;
    if (!follows(last)) areInOrder = false;
    if (alike === 0) {
      alike = likeFrom(jobs, place);
      writer.value(job.priority);
      writer.value(job.due);
      writer.value(alike);
    }
    alike -= 1;
    const isApart = job.body.length > INLINE;
    if (isApart) apart.push(`b:${String(madeKey)}`, job.body);
    writeRow(writer, job, isApart);
  }
  if (!areInOrder && new Set(jobs.map(({ id }) => placeOf(id))).size < jobs.length) return undefined;
  return { jobs: writer.bytes(), bodies: apart.length === 0 ? NONE : pack(apart) };
}

/** Whether the key that was looked at last comes behind this one, which it then becomes: those in order are all different. */
function follows(last: Buffer): boolean {
  let place = 0;
  while (place < last.length - 1 && madeKey[place] === last[place]) place += 1;
  const isBehind = (madeKey[place] ?? 0) > (last[place] ?? 0);
  for (; place < last.length; place += 1) last[place] = madeKey[place] ?? 0;
  return isBehind;
}

/** Whether it is one job that belongs to nothing, waits for no key and was given no id. */
export function isPlainFlow({ jobs, joins }: NewFlow): boolean {
  const [job] = jobs;
  if (job === undefined || jobs.length > 1 || joins.length > 0) return false;
  return !job.named && job.unique === undefined && job.after === undefined;
}

function plainJobs(flows: readonly NewFlow[]): readonly NewJob[] | undefined {
  const jobs: NewJob[] = [];
  for (const flow of flows) {
    const [job] = flow.jobs;
    if (job === undefined || !isPlainFlow(flow)) return undefined;
    jobs.push(job);
  }
  return jobs.length === 0 ? undefined : jobs;
}

/** What of a job stands outside the rest of its row: alike in most that are stored together. */
function isLike(job: NewJob | undefined, other: NewJob | undefined): boolean {
  return job?.due === other?.due && job?.priority === other?.priority;
}

/** How many follow one another that are like the one at this place, with it. */
function likeFrom(jobs: readonly NewJob[], place: number): number {
  const first = jobs[place];
  for (let past = place + 1; past < jobs.length; past += 1)
    if (!isLike(jobs[past], first)) return past - place;
  return jobs.length - place;
}

function runsIn(jobs: readonly NewJob[]): number {
  let runs = 0;
  for (let place = 0; place < jobs.length; place += likeFrom(jobs, place)) runs += 1;
  return runs;
}
