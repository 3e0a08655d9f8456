/** Jobs that belong to no flow, hold no key and were given no id, as the script `add` takes them. */
import type { NewFlow, NewJob } from "@taskq/core/storage";
import { pack, Writer } from "./pack.js";
import { INLINE, isMade, placeOf, writeRow } from "./rows.js";

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
  let areInOrder = true;
  let alike = 0;
  writer.list(jobs.length * 2 + runsIn(jobs) * 3);
  for (const [place, job] of jobs.entries()) {
    if (alike === 0) {
      alike = likeFrom(jobs, place);
      writer.value(job.priority);
      writer.value(job.due);
      writer.value(alike);
    }
    alike -= 1;
    const isApart = job.body.length > INLINE;
    if (isApart) apart.push(`b:${placeOf(job.id)}`, job.body);
    if (!writeRow(writer, job, isApart)) areInOrder = false;
  }
  if (!areInOrder && new Set(jobs.map(({ id }) => placeOf(id))).size < jobs.length) return undefined;
  return { jobs: writer.bytes(), bodies: apart.length === 0 ? NONE : pack(apart) };
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
    if (job === undefined || !isPlainFlow(flow) || !isMade(job.id)) return undefined;
    jobs.push(job);
  }
  return jobs.length === 0 ? undefined : jobs;
}

/** What of a job stands outside the rest of its row: alike in most that are stored together. */
function isLike(job: NewJob, other: NewJob): boolean {
  return job.due === other.due && job.priority === other.priority;
}

/** How many follow one another that are like the one at this place, with it. */
function likeFrom(jobs: readonly NewJob[], place: number): number {
  const first = jobs[place];
  let past = place + 1;
  for (let job = jobs[past]; first !== undefined && job !== undefined && isLike(job, first); job = jobs[past]) {
    past += 1;
  }
  return past - place;
}

function runsIn(jobs: readonly NewJob[]): number {
  let runs = 0;
  for (let place = 0; place < jobs.length; place += likeFrom(jobs, place)) runs += 1;
  return runs;
}
