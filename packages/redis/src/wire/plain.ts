/** Jobs that belong to no flow, hold no key and were given no id, as the script `add` takes them. */
import type { NewFlow, NewJob } from "@taskq/core/storage";
import { begin, beginRun, end, endRun, writeRow } from "./new-rows.js";
import { pack } from "./pack.js";
import { INLINE, placeOf } from "./rows.js";

export interface PlainRequest {
  /** Of those that are alike priority, due and how many they are, then the key of each and the rest of its row. */
  readonly jobs: Buffer;
  /** Bodies that stand apart, each behind its field; empty if there are none. */
  readonly bodies: Buffer;
}

const NONE = Buffer.alloc(0);

/** `undefined` if there is any other, or none. */
export function plainRequest(flows: readonly NewFlow[]): PlainRequest | undefined {
  const { length } = flows;
  if (length === 0) return undefined;
  let apart: NewJob[] | undefined;
  let like: NewJob | undefined;
  let [runs, run, alike, key] = [0, 0, 0, 0];
  let areInOrder = true;
  begin(length);
  for (let place = 0; place < length; place += 1) {
    const job = plainJob(flows[place] as NewFlow);
    if (job === undefined) return undefined;
    if (like === undefined || job.due !== like.due || job.priority !== like.priority) {
      if (runs > 0) endRun(run, alike, length);
      like = job;
      runs += 1;
      alike = 0;
      run = beginRun(job, length);
    }
    alike += 1;
    const isApart = job.body.length > INLINE;
    if (isApart) (apart ??= []).push(job);
    key = writeRow(job, isApart, Math.abs(key));
    if (key === 0) return undefined;
    if (key < 0) areInOrder = false;
  }
  endRun(run, alike, length);
  // Those in order are all different.
  if (!areInOrder && areAlike(flows)) return undefined;
  return { jobs: end(length, runs), bodies: apart === undefined ? NONE : bodiesOf(apart) };
}

/** Whether it is one job that belongs to nothing, waits for no key and was given no id. */
export function isPlainFlow(flow: NewFlow): boolean {
  return plainJob(flow) !== undefined;
}

function plainJob({ jobs, joins }: NewFlow): NewJob | undefined {
  const [job] = jobs;
  if (job === undefined || jobs.length > 1 || joins.length > 0) return undefined;
  return job.named || job.unique !== undefined || job.after !== undefined ? undefined : job;
}

function areAlike(flows: readonly NewFlow[]): boolean {
  return new Set(flows.map(({ jobs: [job] }) => placeOf(job?.id ?? ""))).size < flows.length;
}

function bodiesOf(jobs: readonly NewJob[]): Buffer {
  return pack(jobs.flatMap(({ id, body }) => [`b:${placeOf(id) ?? ""}`, body]));
}
