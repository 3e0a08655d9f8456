/** A queue that leaves for another storage, or is filled from one. */
import { randomUUID } from "node:crypto";
import {
  pageLength,
  type ExportAnswer,
  type ExportRequest,
  type ImportAnswer,
  type ImportRequest,
  type MoveCounts,
  type QueuePhase,
} from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { listOf, numberIfAny, textIfAny } from "./wire/answers.js";
import { movedOf, movedRequest } from "./wire/moved.js";
import type { AnswerRecord } from "./wire/unpack.js";

export async function exportQueue(queue: OpenQueue, request: ExportRequest): Promise<ExportAnswer> {
  if (request.kind === "count") return exportCount(queue, request);
  const { answer } = await queue.ask(SCRIPTS.export, request, { name: randomUUID() });
  const items = listOf(answer["items"], ({ cursor, record }) => ({
    cursor: cursor as string,
    record: movedOf(record as AnswerRecord),
  }));
  const all = items.map(({ record }) => record);
  const taken = all.slice(0, pageLength(all, request.kind === "page" ? request.limit : 0));
  const whole = taken.length === all.length;
  const next = whole ? textIfAny(answer["behindAll"]) : items[taken.length - 1]?.cursor;
  // A page is not empty unless it is the last.
  if (request.kind === "page" && taken.length === 0 && next !== undefined) {
    return exportQueue(queue, { ...request, cursor: next });
  }
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
    if (cursor === undefined) return exportAnswer(answer, { records: [], cursor: undefined, counts });
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

export async function importQueue(queue: OpenQueue, request: ImportRequest): Promise<ImportAnswer> {
  const records = request.kind === "page" ? request.records.map(movedRequest) : undefined;
  const name = randomUUID();
  let { answer } = await queue.ask(SCRIPTS.import, request, { records, name });
  // Each script does a bounded part of it.
  while (answer["more"] === true) ({ answer } = await queue.ask(SCRIPTS.import, request, { name }));
  const counts = request.kind === "seal" ? {} : undefined;
  let told = answer;
  while (counts !== undefined) {
    addCounts(counts, told);
    const from = textIfAny(told["behindAll"]);
    if (from === undefined) break;
    told = (await queue.ask(SCRIPTS.import, request, { name, from })).answer;
  }
  return {
    phase: answer["phase"] as QueuePhase,
    epoch: answer["epoch"] as number,
    departure: textIfAny(answer["departure"]),
    arrival: textIfAny(answer["arrival"]),
    cursor: textIfAny(answer["cursor"]),
    complete: answer["complete"] === true,
    more: false,
    counts: counts as MoveCounts | undefined,
  };
}

function addCounts(sums: Record<string, number>, answer: AnswerRecord): void {
  for (const [name, count] of Object.entries((answer["counts"] ?? {}) as Record<string, number>)) {
    sums[name] = (sums[name] ?? 0) + count;
  }
}
