/** Jobs page by page: each script looks at a bounded number of rows. */
import {
  placeOfGone,
  STORED_STATES,
  type JobRecord,
  type ListAnswer,
  type ListRequest,
  type StoredCounts,
  type StoredState,
} from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { Asked, OpenQueue } from "./open-queue.js";
import { isMade } from "./partitions/place.js";
import { jobRecordOf } from "./wire/answers.js";
import { listOf } from "./wire/values.js";
import type { AnswerRecord } from "./wire/unpack.js";

export const LONGEST_PAGE = 1000;

/** A job, and where it stands in the order of enqueue. */
export interface Placed {
  readonly place: number;
  readonly record: JobRecord;
}

export async function list(queue: OpenQueue, request: ListRequest): Promise<ListAnswer> {
  const limit = Math.min(request.limit, LONGEST_PAGE);
  const found = await placedAfter(queue, request, limit + 1);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    records: page.map(({ record }) => record),
    after: found.length > limit && last !== undefined ? `=${last.place}` : undefined,
  };
}

/** Jobs behind `after`: so many, or all there are. One more than a page holds tells whether there is another one. */
export async function placedAfter(queue: OpenQueue, request: ListRequest, limit: number): Promise<Placed[]> {
  const found: Placed[] = [];
  let { after } = request;
  // Once it goes through all of them, each script goes on where the one before has stopped.
  let walks = false;
  for (;;) {
    const { answer } = await queue.ask(SCRIPTS.list, request, { after, walks, limit: limit - found.length });
    if (answer["unknown"] === true && after !== undefined) {
      after = `=${await placeBehind(queue, goneJob(after), request)}`;
      continue;
    }
    found.push(...listOf(answer["records"], placed));
    after = answer["after"] as string;
    walks = answer["walks"] === true;
    if (found.length >= limit || answer["ended"] === true) return found;
  }
}

/** What tells where a job stands. */
export interface Ordered {
  readonly id: string;
  readonly enqueuedAt: number;
}

/** One that is not stored. @throws `TASKQ_OPTION` for an id that says nothing of when it was made */
export function goneJob(id: string): Ordered {
  return { id, enqueuedAt: placeOfGone(id).time };
}

/** The last place before a job's. Looks at all jobs before: who pages goes on with what the page before has answered. */
export async function placeBehind(queue: OpenQueue, job: Ordered, { now }: ListRequest): Promise<number> {
  for (let last = 0; ;) {
    const asked = { queue: queue.name, now, after: `=${last}`, limit: LONGEST_PAGE };
    const page = await placedAfter(queue, asked, LONGEST_PAGE);
    for (const { place, record } of page) {
      if (record.id !== job.id && isBefore(job, record)) return last;
      last = place;
    }
    if (page.length < LONGEST_PAGE) return last;
  }
}

/** Within a millisecond ids that core made tell which was made first. */
export function isBefore(left: Ordered, right: Ordered): boolean {
  if (left.enqueuedAt !== right.enqueuedAt) return left.enqueuedAt < right.enqueuedAt;
  return isMade(left.id) && isMade(right.id) && left.id < right.id;
}

function placed(answer: AnswerRecord): Placed {
  const [place, record] = answer as unknown as readonly [number, AnswerRecord];
  return { place, record: jobRecordOf(record) };
}

/** Looks at every job. */
export async function countsByTask(
  queue: OpenQueue,
  request: Asked,
): Promise<Readonly<Record<string, StoredCounts>>> {
  const sums = new Map<string, Record<StoredState, number>>();
  let after: string | undefined;
  for (;;) {
    const { answer } = await queue.ask(SCRIPTS.list, request, { counts: true, limit: 1, after });
    for (const [task, counts] of Object.entries((answer["counts"] ?? {}) as AnswerRecord)) {
      const sum = sums.get(task) ?? noCounts();
      sums.set(task, sum);
      for (const state of STORED_STATES) sum[state] += ((counts as AnswerRecord)[state] as number) ?? 0;
    }
    if (answer["ended"] === true) return Object.fromEntries(sums);
    after = answer["after"] as string;
  }
}

function noCounts(): Record<StoredState, number> {
  return Object.fromEntries(STORED_STATES.map((state) => [state, 0])) as Record<StoredState, number>;
}
