/** Short words for the calls that move a queue, from and to one and the same store. */
import assert from "node:assert/strict";
import type { ExportAnswer, ImportAnswer, MoveCounts, MovedRecord } from "@taskq/core/storage";
import { bytes } from "./bytes.js";
import type { Context } from "./context.js";

/** Records of a page where a check asks for little ones. */
export const SMALL_PAGE: number = 7;
/** The target of a queue that comes back to where it was, so that one store is enough. */
export const ELSEWHERE: string = "elsewhere";
/** A schedule but for its name. */
export const SCHEDULE: {
  readonly kind: "upsert";
  readonly origin: "stored";
  readonly task: string;
  readonly bytes: Uint8Array;
} = { kind: "upsert", origin: "stored", task: "work", bytes: bytes("every day") };

export function begin(context: Context): Promise<ExportAnswer> {
  return context.storage.export({ queue: context.queue, now: context.now, kind: "begin" });
}

export function page(
  context: Context,
  departure: string,
  cursor?: string,
  limit: number = SMALL_PAGE,
): Promise<ExportAnswer> {
  const { queue, now } = context;
  return context.storage.export({ queue, now, kind: "page", departure, cursor, limit });
}

export function finish(
  context: Context,
  departure: string,
  destination: string = ELSEWHERE,
): Promise<ExportAnswer> {
  const { queue, now } = context;
  return context.storage.export({ queue, now, kind: "finish", departure, destination });
}

export function cancel(context: Context, destination?: string): Promise<ExportAnswer> {
  return context.storage.export({ queue: context.queue, now: context.now, kind: "cancel", destination });
}

export function comeIn(context: Context, departure: string, arrival?: string): Promise<ImportAnswer> {
  const { queue, now } = context;
  return context.storage.import({ queue, now, kind: "begin", departure, epoch: 0, arrival });
}

export function put(
  context: Context,
  departure: string,
  records: readonly MovedRecord[],
  cursor?: string,
): Promise<ImportAnswer> {
  const { queue, now } = context;
  return context.storage.import({ queue, now, kind: "page", departure, records, cursor });
}

export interface Exported {
  readonly departure: string;
  readonly records: readonly MovedRecord[];
  readonly counts: MoveCounts;
}

/** Leaves and reads all pages. */
export async function exportAll(context: Context): Promise<Exported> {
  const { departure, still } = await begin(context);
  assert.ok(still && departure !== undefined, "a queue in which nothing runs is still");
  const records: MovedRecord[] = [];
  let cursor: string | undefined;
  do {
    const answer = await page(context, departure, cursor);
    records.push(...answer.records);
    cursor = answer.cursor;
  } while (cursor !== undefined);
  const { queue, now } = context;
  const { counts } = await context.storage.export({ queue, now, kind: "count", departure });
  assert.ok(counts !== undefined, "a count is answered");
  return { departure, records, counts };
}

/** Fills the queue anew and puts it together; not open yet. */
export async function fill(context: Context, { departure, records }: Exported): Promise<ImportAnswer> {
  await comeIn(context, departure);
  for (let from = 0; from < records.length; from += SMALL_PAGE) {
    await put(context, departure, records.slice(from, from + SMALL_PAGE), String(from + SMALL_PAGE));
  }
  for (;;) {
    const { queue, now } = context;
    const answer = await context.storage.import({ queue, now, kind: "seal", departure });
    if (!answer.more) return answer;
  }
}

export function open(
  context: Context,
  departure: string,
  arrival: string | undefined,
): Promise<ImportAnswer> {
  assert.ok(arrival !== undefined, "an arrival has a name");
  return context.storage.import({ queue: context.queue, now: context.now, kind: "open", departure, arrival });
}

/** The queue leaves, and comes back as another storage would take it. */
export async function move(context: Context): Promise<Exported> {
  const exported = await exportAll(context);
  await finish(context, exported.departure);
  const { arrival, counts } = await fill(context, exported);
  assert.deepEqual(counts, exported.counts, "the counts differ");
  await open(context, exported.departure, arrival);
  return exported;
}

export async function refusesWhatIsNew(context: Context): Promise<void> {
  const { storage, queue, now } = context;
  await context.rejects("TASKQ_MOVED", () => context.enqueue(context.job()));
  await context.rejects("TASKQ_MOVED", () => context.claim());
  await context.rejects("TASKQ_MOVED", () =>
    storage.control({ queue, now, task: "work", change: { kind: "pause" } }),
  );
  await context.rejects("TASKQ_MOVED", () =>
    storage.tick({ queue, now, name: "s", previous: now - 1, at: now, flows: [], overlap: "allow" }),
  );
}

export async function refusesChanges(context: Context, id: string): Promise<void> {
  const { storage, queue, now } = context;
  const set = { kind: "set", key: "k", bytes: bytes("v"), expiresAt: undefined } as const;
  const calls: readonly (() => Promise<unknown>)[] = [
    () => storage.amend({ queue, now, ids: [id], change: { kind: "revoke", scope: "later" } }),
    () => storage.values({ queue, now, operation: "late", operations: [set] }),
    () => storage.schedules({ queue, now, change: { ...SCHEDULE, name: "late" } }),
    () => context.keys({ kind: "acquire", name: "l", ticket: "t", owner: "o", max: 1, ttl: 1, wait: 1 }),
    () => storage.take({ queue, now, operation: "late", key: "limit", max: 1, per: 1 }),
    () => storage.purge({ queue, now, limit: 10 }),
  ];
  for (const call of calls) await context.rejects("TASKQ_MOVED", call);
}
