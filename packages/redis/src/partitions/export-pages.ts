/** Pages of a leaving queue: the jobs of all partitions in the order of enqueue, then the rest of each partition. */
import {
  GatheredStats,
  pageLength,
  type ExportAnswer,
  type ExportRequest,
  type MovedJob,
  type MovedJoin,
  type MovedRecord,
  type StatsRow,
} from "@taskq/core/storage";
import { SCRIPTS } from "../lua/scripts.js";
import { statsOf } from "../stats.js";
import { movedOf } from "../wire/moved.js";
import { listOf, textIfAny } from "../wire/values.js";
import type { AnswerRecord } from "../wire/unpack.js";
import type { DividedQueue } from "./divided-queue.js";
import { merge } from "./listing.js";
import { HOME } from "./place.js";
import { standingAt, together, type Standing } from "./standing.js";

type PageRequest = Extract<ExportRequest, { readonly kind: "page" }>;

/** What is told once, by the home partition or of all together. */
export const ONCE: ReadonlySet<string> = new Set(["control", "feed", "event", "stats"]);

/**
 * `rows:` and the cursors of all partitions, while jobs and groups are told, a `!` before those that have no more; `rest:`, the
 * partition that is being told, and the cursors; `stats:` and how many rows have been.
 */
export async function exportPage(queue: DividedQueue, request: PageRequest): Promise<ExportAnswer> {
  const standing = await phaseOf(queue, request);
  const page = await filledPage(queue, request);
  let { cursor } = page;
  // No page is empty, but that of a queue which keeps nothing.
  if (cursor !== undefined && !page.goesOn) {
    const next = await filledPage(queue, { ...request, cursor });
    if (next.records.length === 0) cursor = undefined;
  }
  return { ...standing, records: page.records, cursor, counts: undefined };
}

interface Page {
  readonly records: readonly MovedRecord[];
  readonly cursor: string | undefined;
  /** It is known that more follow. */
  readonly goesOn: boolean;
}

async function filledPage(queue: DividedQueue, request: PageRequest): Promise<Page> {
  const limit = Math.max(1, request.limit);
  for (let { cursor } = request; ;) {
    const page = await pageAt(queue, request, cursor, limit);
    if (page.records.length > 0 || page.cursor === undefined) return page;
    cursor = page.cursor;
  }
}

function pageAt(
  queue: DividedQueue,
  request: PageRequest,
  cursor: string | undefined,
  limit: number,
): Promise<Page> {
  const [section = "rows", ...positions] = (cursor ?? "rows").split("|");
  if (section === "stats") return statsPage(queue, request, Number(positions[0]), limit);
  if (section === "rest") return restPage(queue, request, positions, limit);
  return rowsPage(queue, request, positions, limit);
}

async function phaseOf(queue: DividedQueue, request: PageRequest): Promise<Standing> {
  const own = await queue.each((_, number) =>
    standingAt(queue, number, { ...request, cursor: LAST, limit: 1 }, undefined),
  );
  return together(own[HOME] as Standing, own.slice(1));
}

/** Behind all that the scripts tell. */
const LAST = "99:0:0";

interface Item {
  readonly record: MovedRecord;
  /** Behind it. */
  readonly cursor: string;
}

interface Items {
  readonly items: readonly Item[];
  /** Where to go on behind all of them; `undefined`: there is no more. */
  readonly behind: string | undefined;
}

async function itemsAt(
  queue: DividedQueue,
  number: number,
  request: PageRequest,
  cursor: string | undefined,
): Promise<Items> {
  const { answer } = await queue.queue(number).ask(SCRIPTS.export, request, { cursor });
  const items = listOf(answer["items"], (item) => ({
    cursor: item["cursor"] as string,
    record: movedOf(item["record"] as AnswerRecord),
  }));
  return { items, behind: textIfAny(answer["behindAll"]) };
}

type Row = MovedJob | MovedJoin;

interface RowItem extends Item {
  readonly record: Row;
}

function isRow(item: Item): item is RowItem {
  return item.record.kind === "job" || item.record.kind === "join";
}

const ENDED = "!";

async function rowsPage(
  queue: DividedQueue,
  request: PageRequest,
  from: readonly string[],
  limit: number,
): Promise<Page> {
  const positions = queue.numbers.map((number) => from[number] ?? "");
  const lists = await Promise.all(
    positions.map(async (position, number) => {
      if (position.startsWith(ENDED)) return { rows: [], isWhole: true };
      const { rows, isWhole } = await rowsAt(queue, number, { ...request, limit }, position);
      if (rows.length === 0) positions[number] = `${ENDED}${position}`;
      return { rows, isWhole };
    }),
  );
  const taken: { readonly record: Row; readonly cursor: string; readonly from: number }[] = [];
  const left = lists.map(({ rows }) => rows.length);
  for (const { item, from: number } of merge(
    lists.map(({ rows }) => rows),
    ({ record }) => record,
  )) {
    taken.push({ ...item, from: number });
    left[number] = (left[number] ?? 0) - 1;
    // What follows is not known yet, and may come before the others.
    if (left[number] === 0 && lists[number]?.isWhole !== true) break;
  }
  const records = taken.map(({ record }) => record);
  const length = pageLength(records, limit);
  for (const { cursor, from: number } of taken.slice(0, length)) positions[number] = cursor;
  const isOver = positions.every((position) => position.startsWith(ENDED));
  if (!isOver) {
    const goesOn = length < records.length;
    return { records: records.slice(0, length), cursor: ["rows", ...positions].join("|"), goesOn };
  }
  const cursors = positions.map((position) => position.slice(1));
  return { records: [], cursor: ["rest", "0", ...cursors].join("|"), goesOn: false };
}

/** The next rows of one partition, and whether they are all that is left of them. */
async function rowsAt(
  queue: DividedQueue,
  number: number,
  request: PageRequest,
  from: string,
): Promise<{ readonly rows: readonly RowItem[]; readonly isWhole: boolean }> {
  const { items, behind } = await itemsAt(queue, number, request, from === "" ? undefined : from);
  const rows = items.filter(isRow);
  return { rows, isWhole: rows.length < items.length || behind === undefined };
}

async function restPage(
  queue: DividedQueue,
  request: PageRequest,
  positions: readonly string[],
  limit: number,
): Promise<Page> {
  const [at = "0", ...cursors] = positions;
  const number = Number(at);
  if (number >= queue.size) return { records: [], cursor: "stats|0", goesOn: false };
  const position = cursors[number];
  const { items, behind } = await itemsAt(queue, number, { ...request, limit }, position || undefined);
  const own = items.filter(({ record }) => number === HOME || !ONCE.has(record.kind));
  const records = own.map(({ record }) => record);
  const length = pageLength(records, limit);
  const isCut = length < records.length;
  const next = isCut ? own[length - 1]?.cursor : behind;
  const following = next === undefined ? number + 1 : number;
  if (next !== undefined) cursors[number] = next;
  const cursor = ["rest", following, ...cursors].join("|");
  return { records: records.slice(0, length), cursor, goesOn: isCut };
}

async function statsPage(
  queue: DividedQueue,
  request: PageRequest,
  from: number,
  limit: number,
): Promise<Page> {
  const rows = await allStats(queue, request.now);
  const rest = rows.slice(from).map((row) => ({ kind: "stats", ...row }) as const);
  const records = rest.slice(0, pageLength(rest, limit));
  const next = from + records.length;
  const goesOn = next < rows.length;
  return { records, cursor: goesOn ? `stats|${next}` : undefined, goesOn };
}

/** What all partitions have counted, added up. */
export async function allStats(queue: DividedQueue, now: number | undefined): Promise<readonly StatsRow[]> {
  const all = new GatheredStats();
  const parts = await Promise.all(queue.queues.map((part) => statsOf(part, now)));
  for (const row of parts.flat().toSorted((left, right) => left.minute - right.minute)) all.add(row);
  return all.rows();
}
