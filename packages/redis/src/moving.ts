/** A queue that leaves for another storage, or is filled from one. */
import { randomUUID } from "node:crypto";
import {
  checkArriving,
  pageLength,
  type ExportAnswer,
  type ExportRequest,
  type ImportAnswer,
  type ImportRequest,
  type MoveCounts,
  type QueuePhase,
} from "@taskq/core/storage";
import { always, copied, SCRIPTS } from "./lua/scripts.js";
import type { Script } from "./connection/script.js";
import type { OpenQueue } from "./open-queue.js";
import { statsOf, writeStats } from "./stats.js";
import { listOf, numberIfAny, textIfAny } from "./wire/values.js";
import { movedOf, movedRequest } from "./wire/moved.js";
import type { AnswerRecord } from "./wire/unpack.js";

/** The target opens because of it: what another server does not know of it would be open twice. */
export const leaving: Script = copied(SCRIPTS.export);

export async function exportQueue(queue: OpenQueue, request: ExportRequest): Promise<ExportAnswer> {
  if (request.kind === "count") return exportCount(queue, request);
  if (request.kind === "page") return exportPage(queue, request);
  // What this process has gathered goes along.
  if (request.kind === "begin") await writeStats(queue);
  if (request.kind === "finish") queue.stats.startAnew();
  const { answer } = await queue.ask(leaving, request, { name: randomUUID() });
  return exportAnswer(answer, { records: [], cursor: undefined, counts: undefined });
}

type PageRequest = Extract<ExportRequest, { readonly kind: "page" }>;

/** Behind all that the scripts tell come the statistics, which are added up here. */
const STATS = /^stats:(\d+)$/;
const BEHIND_ALL = "99:0:0";

async function exportPage(queue: OpenQueue, request: PageRequest): Promise<ExportAnswer> {
  const { limit, now } = request;
  const from = STATS.exec(request.cursor ?? "")?.[1];
  if (from !== undefined) {
    const { answer } = await queue.ask(SCRIPTS.export, request, { cursor: BEHIND_ALL });
    const rows = await statsOf(queue, now);
    const rest = rows.slice(Number(from)).map((row) => ({ kind: "stats", ...row }) as const);
    const records = rest.slice(0, pageLength(rest, limit));
    const next = Number(from) + records.length;
    return exportAnswer(answer, {
      records,
      cursor: next < rows.length ? `stats:${next}` : undefined,
      counts: undefined,
    });
  }
  const { answer } = await queue.ask(SCRIPTS.export, request);
  const items = listOf(answer["items"], ({ cursor, record }) => ({
    cursor: cursor as string,
    record: movedOf(record as AnswerRecord),
  }));
  const all = items.map(({ record }) => record);
  const taken = all.slice(0, pageLength(all, limit));
  let next = taken.length < all.length ? items[taken.length - 1]?.cursor : textIfAny(answer["behindAll"]);
  if (next === undefined && (await statsOf(queue, now)).length > 0) next = "stats:0";
  // A page is not empty unless it is the last.
  if (taken.length === 0 && next !== undefined) return exportPage(queue, { ...request, cursor: next });
  return exportAnswer(answer, { records: taken, cursor: next, counts: undefined });
}

async function exportCount(
  queue: OpenQueue,
  request: Extract<ExportRequest, { readonly kind: "count" }>,
): Promise<ExportAnswer> {
  const counts: Record<string, number> = {};
  let cursor: string | undefined;
  for (;;) {
    const { answer } = await queue.ask(SCRIPTS.export, request, { cursor });
    addCounts(counts, answer);
    cursor = textIfAny(answer["behindAll"]);
    if (cursor !== undefined) continue;
    const rows = await statsOf(queue, request.now);
    if (rows.length > 0) counts["stats"] = rows.length;
    return exportAnswer(answer, { records: [], cursor: undefined, counts });
  }
}

function exportAnswer(
  answer: AnswerRecord,
  found: Pick<ExportAnswer, "records" | "cursor" | "counts">,
): ExportAnswer {
  return {
    phase: answer["phase"] as QueuePhase,
    epoch: answer["epoch"] as number,
    departure: textIfAny(answer["departure"]),
    destination: textIfAny(answer["destination"]),
    active: numberIfAny(answer["active"]) ?? 0,
    still: answer["still"] === true,
    ...found,
  };
}

/** What has arrived is opened, and what has not is removed, also where there is no room for more. */
const ENDS: ReadonlySet<ImportRequest["kind"]> = new Set(["open", "cancel"]);
export const ending: Script = always(SCRIPTS.import);

export async function importQueue(queue: OpenQueue, request: ImportRequest): Promise<ImportAnswer> {
  toBeFilled(queue, request);
  if (request.kind === "page") checkArriving(request.records);
  const records = request.kind === "page" ? request.records.map(movedRequest) : undefined;
  const name = randomUUID();
  const script = ENDS.has(request.kind) ? ending : SCRIPTS.import;
  let { answer } = await queue.ask(script, request, { records, name });
  // Each script does a bounded part of it.
  while (answer["more"] === true) ({ answer } = await queue.ask(script, request, { name }));
  const isSealed = request.kind === "seal" && answer["complete"] === true;
  const counts = isSealed ? await sealedCounts(queue, request, answer) : undefined;
  return {
    phase: answer["phase"] as QueuePhase,
    epoch: answer["epoch"] as number,
    departure: textIfAny(answer["departure"]),
    arrival: textIfAny(answer["arrival"]),
    cursor: textIfAny(answer["cursor"]),
    complete: answer["complete"] === true,
    more: false,
    counts,
  };
}

/** Before each call that fills it. */
export function toBeFilled({ stats, presence }: OpenQueue, request: ImportRequest): void {
  if (request.kind === "begin") stats.startAnew();
  presence.toBeFilled(request.kind === "begin" && request.arrival === undefined);
}

/** Counted a part at a time, the first of them by the script that found the queue sealed. */
async function sealedCounts(
  queue: OpenQueue,
  request: ImportRequest,
  first: AnswerRecord,
): Promise<MoveCounts> {
  const counts: Record<string, number> = {};
  addCounts(counts, first);
  for (let from = textIfAny(first["behindAll"]); from !== undefined;) {
    const { answer } = await queue.ask(SCRIPTS.import, request, { from });
    addCounts(counts, answer);
    from = textIfAny(answer["behindAll"]);
  }
  return counts;
}

function addCounts(sums: Record<string, number>, answer: AnswerRecord): void {
  for (const [name, count] of Object.entries((answer["counts"] ?? {}) as Record<string, number>)) {
    sums[name] = (sums[name] ?? 0) + count;
  }
}
