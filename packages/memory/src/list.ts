/** Jobs page by page, and by number. */
import { placeOfGone, type ListAnswer, type ListRequest, type StoredCounts } from "@taskq/core/storage";
import { keyOf } from "./made-id.js";
import type { QueueState } from "./queue-state.js";
import { jobRecord } from "./read.js";
import type { JobRow } from "./rows.js";

const LONGEST_PAGE = 1000;
/** How long it is remembered where a page ended, should its last job be purged. */
const REMEMBERED = 60 * 60 * 1000;

/** One page of the jobs that are asked for. */
export function list(queue: QueueState, request: ListRequest, now: number): ListAnswer {
  const limit = Math.min(request.limit, LONGEST_PAGE);
  const page: JobRow[] = [];
  let more = false;
  for (const row of queue.listing.after(orderOf(queue, request.after, now))) {
    if (!isAskedFor(row, request)) continue;
    if (page.length >= limit) {
      more = true;
      break;
    }
    page.push(row);
  }
  const last = page.at(-1);
  const after = more ? last?.id : undefined;
  if (last !== undefined && after !== undefined) {
    queue.pageEnds.set(after, last.order, now + REMEMBERED, now);
  }
  return { records: page.map((row) => jobRecord(row, true)), after };
}

function isAskedFor(row: JobRow, { states, task }: ListRequest): boolean {
  return (
    (states === undefined || states.includes(row.state)) && (task === undefined || task === row.job.task)
  );
}

function orderOf(queue: QueueState, id: string | undefined, now: number): number {
  if (id === undefined) return 0;
  return queue.jobOf(id)?.order ?? queue.pageEnds.get(id, now) ?? orderByTime(queue, id);
}

/** An id that is not known any more still tells when it was made. @throws `TASKQ_OPTION` for one that does not */
function orderByTime(queue: QueueState, id: string): number {
  const { time } = placeOfGone(id);
  let order = 0;
  for (const row of queue.listing.after(0)) {
    if (row.enqueuedAt > time || (row.enqueuedAt === time && isMadeAfter(row, id))) break;
    order = row.order;
  }
  return order;
}

/** Within a millisecond ids that core made tell which was made first. */
function isMadeAfter(row: JobRow, id: string): boolean {
  return keyOf(row.id) !== undefined && row.id > id;
}

/** Jobs by state, of the whole queue or of each task. */
export function counts(queue: QueueState, by: "task" | undefined): Readonly<Record<string, StoredCounts>> {
  return by === "task" ? queue.counts.byTask() : { "*": queue.counts.total() };
}
