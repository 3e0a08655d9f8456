/** Reading jobs and joins by id. Jobs that belong to nothing go a shorter way, when there are few. */
import type { ReadRequest, StoredRecord } from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { recordOf } from "./wire/answers.js";
import type { AnswerRecord } from "./wire/unpack.js";
import { listOf } from "./wire/values.js";

/** The most that are tried the short way: if one of them cannot be read so, all were read for nothing. */
const FEW = 32;

export async function read(
  queue: OpenQueue,
  request: ReadRequest,
): Promise<readonly (StoredRecord | undefined)[]> {
  const records: (StoredRecord | undefined)[] = [];
  do {
    const ids = request.ids.slice(records.length);
    const answer =
      (await readShort(queue, { ...request, ids })) ??
      (await queue.ask(SCRIPTS.read, request, { ids })).answer;
    const told = listOf(answer["records"], (record) => record as AnswerRecord | false);
    for (const record of told) records.push(record === false ? undefined : recordOf(record));
    // Of results that are large together, each script reads some.
  } while (records.length < request.ids.length);
  return records;
}

/** `undefined`: there is something else among them. */
async function readShort(queue: OpenQueue, { ids, whole }: ReadRequest): Promise<AnswerRecord | undefined> {
  if (whole === true || ids.length === 0 || ids.length > FEW) return undefined;
  const reply = await queue.run(SCRIPTS.shortRead, ids);
  return Buffer.isBuffer(reply) ? queue.told(SCRIPTS.shortRead, reply) : undefined;
}
