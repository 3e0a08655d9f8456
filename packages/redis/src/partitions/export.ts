/** A queue in several partitions that leaves. */
import { randomUUID } from "node:crypto";
import type { ExportAnswer, ExportRequest, MoveCounts } from "@taskq/core/storage";
import { writeStats } from "../stats.js";
import type { DividedQueue } from "./divided-queue.js";
import { goOnFollowing } from "./events.js";
import { allStats, exportPage, ONCE } from "./export-pages.js";
import { HOME } from "./place.js";
import { standingAt, together, type ScriptRequest, type Standing } from "./standing.js";

const NOTHING = { records: [], cursor: undefined, counts: undefined } as const;

export async function exportQueue(queue: DividedQueue, request: ExportRequest): Promise<ExportAnswer> {
  switch (request.kind) {
    case "begin":
      return { ...(await begin(queue, request)), ...NOTHING };
    case "page":
      return exportPage(queue, request);
    case "count":
      return exportCount(queue, request);
    case "finish":
      return { ...(await finish(queue, request)), ...NOTHING };
    default:
      return { ...(await cancel(queue, request)), ...NOTHING };
  }
}

/** The home partition first: it names the leaving. None is still while something runs in another one. */
async function begin(queue: DividedQueue, request: ExportRequest): Promise<Standing> {
  for (const part of queue.queues) await writeStats(part);
  const first = await standingAt(queue, HOME, { ...request, busy: true }, randomUUID());
  if (first.phase !== "leaving") return together(first, await others(queue, { ...request }, first));
  const busy = await others(queue, { ...request, busy: true }, first);
  if ([first, ...busy].some(({ active }) => active > 0)) return together(first, busy);
  const stills = await queue.each((_, number) => standingAt(queue, number, request, first.departure));
  const still = together(stills[HOME] as Standing, stills.slice(1));
  if (still.still) await goOnFollowing(queue, request.now);
  return still;
}

async function others(
  queue: DividedQueue,
  request: ScriptRequest,
  home: Standing,
): Promise<readonly Standing[]> {
  return queue.others(async (_, number) => {
    const own = await standingAt(queue, number, request, home.departure);
    const isGoing = own.phase === "leaving" || own.phase === "left";
    if (!isGoing || home.phase !== "leaving" || own.departure === home.departure) return own;
    // Left over from a leaving that was taken back by half, or that the home partition has forgotten.
    const { destination } = own;
    await standingAt(queue, number, { kind: "cancel", now: request.now, destination }, undefined);
    return standingAt(queue, number, request, home.departure);
  });
}

/** The home partition last: as long as it has not left, the queue has not. */
async function finish(queue: DividedQueue, request: ExportRequest): Promise<Standing> {
  for (const part of queue.queues) part.stats.startAnew();
  const rest = await queue.others((_, number) => standingAt(queue, number, request, undefined));
  return together(await standingAt(queue, HOME, request, undefined), rest);
}

/** Again the home partition last: who begins anew finds the name of the leaving there. */
async function cancel(queue: DividedQueue, request: ExportRequest): Promise<Standing> {
  const rest = await queue.others((_, number) => standingAt(queue, number, request, undefined));
  return together(await standingAt(queue, HOME, request, undefined), rest);
}

async function exportCount(
  queue: DividedQueue,
  request: Extract<ExportRequest, { readonly kind: "count" }>,
): Promise<ExportAnswer> {
  const answers = await queue.each((part) => part.export(request));
  const counts: Record<string, number> = {};
  for (const [number, answer] of answers.entries()) {
    for (const [name, count] of Object.entries<number>((answer.counts ?? {}) satisfies MoveCounts)) {
      if (name !== "stats" && (number === HOME || !ONCE.has(name)))
        counts[name] = (counts[name] ?? 0) + count;
    }
  }
  const rows = await allStats(queue, request.now);
  if (rows.length > 0) counts["stats"] = rows.length;
  const standing = together(answers[HOME] as ExportAnswer, answers.slice(1));
  return { ...standing, records: [], cursor: undefined, counts };
}
