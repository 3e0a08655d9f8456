/** Jobs of all partitions in the order of enqueue, as far as instants tell it. */
import type { JobRecord, ListAnswer, ListRequest } from "@taskq/core/storage";
import { goneJob, isBefore, LONGEST_PAGE, placeBehind, placedAfter, type Ordered } from "../listing.js";
import type { DividedQueue } from "./divided-queue.js";

/** Where to go on in each partition: `=12,0,7`. */
const CURSOR = /^=\d+(,\d+)*$/;

export async function list(queue: DividedQueue, request: ListRequest): Promise<ListAnswer> {
  const limit = Math.min(request.limit, LONGEST_PAGE);
  const positions = await positionsOf(queue, request);
  // One more than asked for tells whether there is another page.
  const pages = await Promise.all(
    queue.queues.map((part, number) => {
      const after = `=${positions[number] ?? 0}`;
      return placedAfter(part, { ...request, after }, limit + 1);
    }),
  );
  const merged = merge(pages, ({ record }) => record);
  const records: JobRecord[] = [];
  for (const { item, from } of merged.slice(0, limit)) {
    records.push(item.record);
    positions[from] = item.place;
  }
  return { records, after: merged.length > limit ? `=${positions.join(",")}` : undefined };
}

async function positionsOf(queue: DividedQueue, request: ListRequest): Promise<number[]> {
  const { after } = request;
  if (after === undefined) return queue.numbers.map(() => 0);
  if (CURSOR.test(after)) return after.slice(1).split(",").map(Number);
  const [found] = await queue.find([after], { now: request.now });
  const job = found?.record.kind === "job" ? found.record : goneJob(after);
  return Promise.all(queue.queues.map((part) => placeBehind(part, job, request)));
}

export interface Merged<Item> {
  readonly item: Item;
  /** The partition that it comes from. */
  readonly from: number;
}

/** Items of lists that are in order, in the order of all. */
export function merge<Item>(
  lists: readonly (readonly Item[])[],
  rowOf: (item: Item) => Ordered,
): readonly Merged<Item>[] {
  const merged: Merged<Item>[] = [];
  const at = lists.map(() => 0);
  for (;;) {
    let first: Merged<Item> | undefined;
    for (const [from, items] of lists.entries()) {
      const item = items[at[from] ?? 0];
      if (item === undefined) continue;
      if (first === undefined || isBefore(rowOf(item), rowOf(first.item))) first = { item, from };
    }
    if (first === undefined) return merged;
    at[first.from] = (at[first.from] ?? 0) + 1;
    merged.push(first);
  }
}
